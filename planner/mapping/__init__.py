"""From a caller's JSON Schema and what a run makes to an expression that fills the one with the other."""
