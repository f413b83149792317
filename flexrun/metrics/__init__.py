"""`/metrics`: what `telemetry.catalogue` declares, in Prometheus' format."""
