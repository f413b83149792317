"""Outgoing notices: events of the log, posted to whoever asked for them, signed, in order and until they arrive."""
