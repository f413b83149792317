"""What crosses a boundary: envelopes, contracts, plans, events and messages."""
