"""How much a tenant and its callers may take, and what they are told when it is too much."""
