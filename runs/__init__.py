"""The pure domain of a run: evolve, decide, outstanding."""
