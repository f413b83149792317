"""The kinds of task that the rule-based planner knows."""
