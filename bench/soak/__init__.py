"""The soak: load on real processes, which are killed, frozen and cut off meanwhile; then every promise is checked."""
