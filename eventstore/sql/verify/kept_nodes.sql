-- verify/kept_nodes: the rows of some runs in flex_plan_nodes.
select * from flex_plan_nodes where run_id = any (%(run_ids)s::uuid[])
