-- runs/nodes: the nodes of the plan in force, in the plan's order.
select node_id, capability_id, kind, label, queue, executor_type, depends_on, status, attempt, failures, losses, due_at,
       context, output, error, validation_errors, started_at, finished_at
from flex_plan_nodes
where run_id = %(run_id)s
order by ordinal
