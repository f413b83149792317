"""Measures flexrun on the machine it runs on. `python -m bench --help`; how to read it: docs/benchmarks.md."""
