-- runs/nodes: the nodes of the plan in force, in the plan's order.
select *
from flex_plan_nodes
where run_id = %(run_id)s
order by ordinal
