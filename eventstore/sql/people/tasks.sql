-- people/tasks: nodes that wait for a person's work, longest waiting first, from a cursor on. From the runs in
-- progress (flex_runs_tenant_status) to their human nodes (flex_plan_nodes_people).
select *
from flex_task_rows t
where t.tenant = %(tenant)s
  and t.run_status in ('awaiting_human', 'running', 'awaiting_hitl', 'paused')
  and (t.started_at, t.run_id, t.node_id)
      > (coalesce(%(started_after)s, '-infinity'::timestamptz), %(run_after)s::uuid, %(node_after)s)
  and (%(thread_id)s::text is null or t.thread_id = %(thread_id)s)
  and (%(client_id)s::text is null or t.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(t.context #> '{bundle,assignees}', '[]') = '[]'
       or t.context #> '{bundle,assignees}' ?| %(names)s::text[])
order by t.started_at, t.run_id, t.node_id
limit %(limit)s
