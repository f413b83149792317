"""The rules of a run, by what they are about. Only `runs.decide` calls them."""
