"""Plans that a language model proposes: what it is asked, how its proposal becomes a PlanGraph, and what is refused."""
