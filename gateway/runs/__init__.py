"""Runs over HTTP: starting, listing, showing, their events, controlling, forking."""
