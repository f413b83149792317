"""The worker that runs the nodes of a plan."""
