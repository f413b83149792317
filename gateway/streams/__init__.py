"""Server-sent events: frames, the open streams, and the way out to one reader."""
