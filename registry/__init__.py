"""Registering capabilities and facets: what is read, checked against the catalogue, and put into the registry."""
