"""LinkedIn posts: what the planner knows of this kind of task, and nothing of it elsewhere."""
