"""Webhooks: events of the log, posted to the addresses registered for them, signed, in order and until they arrive."""
