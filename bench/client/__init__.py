"""The load: a process of its own, so that its CPU can be told from the engine's."""
