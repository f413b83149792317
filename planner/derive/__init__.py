"""Plans for any envelope: derived from what is given by the capabilities that are registered, at the least cost.

Start at `planner`. `goal` is what a contract asks for, read by `schema_goal` and `free_text`; `ground` what the
envelope brings; `offers` and `world` what capabilities offer for it; `planner.search` finds the cheapest; `assemble`
and `output` write it down; `missing` says why there is none.
"""
