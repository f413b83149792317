"""The processes and workers that take work, over HTTP."""
