"""Capabilities that stand in for real ones. Children of the sandbox import the functions, and no descriptor."""
