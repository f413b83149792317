"""Tokens of the API: making, listing and revoking them."""
