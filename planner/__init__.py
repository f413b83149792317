"""The worker that turns an envelope into a plan."""
