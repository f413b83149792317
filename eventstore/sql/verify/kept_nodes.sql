-- verify/kept_nodes: the rows of a range of runs in flex_plan_nodes.
select * from flex_plan_nodes where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
