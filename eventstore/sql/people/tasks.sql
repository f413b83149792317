-- people/tasks: nodes that wait for a person's work, longest waiting first, from a cursor on. From the runs that go on
-- (flex_runs_status) to the nodes in them that people do (flex_plan_nodes_people).
select n.run_id::text, n.node_id, n.capability_id, n.label, n.attempt, n.context, n.started_at,
       r.thread_id, r.plan_version, r.objective, r.client_id, r.status,
       w.due_at
from flex_runs r
join flex_plan_nodes n on n.run_id = r.run_id and n.executor_type = 'human'
left join flex_work w on w.run_id = n.run_id and w.kind = 'task_expiry' and w.ref = n.node_id
where r.status in ('awaiting_human', 'running', 'awaiting_hitl', 'paused')
  and n.status = 'awaiting_human'
  and (n.started_at, n.run_id, n.node_id)
      > (coalesce(%(started_after)s, '-infinity'::timestamptz), %(run_after)s::uuid, %(node_after)s)
  and (%(thread_id)s::text is null or r.thread_id = %(thread_id)s)
  and (%(client_id)s::text is null or r.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(n.context #> '{bundle,assignees}', '[]') = '[]'
       or n.context #> '{bundle,assignees}' ?| %(names)s::text[])
order by n.started_at, n.run_id, n.node_id
limit %(limit)s
