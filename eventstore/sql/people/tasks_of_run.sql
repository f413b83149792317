-- people/tasks_of_run: the nodes of one run that wait for a person's work, longest waiting first.
select n.run_id::text, n.node_id, n.capability_id, n.label, n.attempt, n.context, n.started_at,
       r.thread_id, r.plan_version, r.objective, r.client_id, r.status,
       w.due_at
from flex_runs r
join flex_plan_nodes n on n.run_id = r.run_id and n.executor_type = 'human'
left join flex_work w on w.run_id = n.run_id and w.kind = 'task_expiry' and w.ref = n.node_id
where r.run_id = %(run_id)s and n.status = 'awaiting_human'
  and (%(client_id)s::text is null or r.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(n.context #> '{bundle,assignees}', '[]') = '[]'
       or n.context #> '{bundle,assignees}' ?| %(names)s::text[])
order by n.started_at, n.node_id
