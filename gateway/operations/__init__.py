"""What operators and tools ask of a gateway: health, readiness, capabilities, OpenAPI."""
