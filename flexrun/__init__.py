"""The command line, settings, wiring and embedded mode: the only place where parts are wired together."""

__version__ = "0.1.0"
