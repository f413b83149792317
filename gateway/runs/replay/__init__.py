"""A run as it was after any of its events, and whether its log and its rows are what was written."""
