"""`/api/v1/flex/capabilities` and `/api/v1/flex/facets`: the registry, for those who bring capabilities."""
