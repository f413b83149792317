-- people/tasks_of_run: the nodes of one run that wait for a person's work, longest waiting first.
select *
from flex_task_rows t
where t.run_id = %(run_id)s
  and (%(tenant)s::text = '*' or t.tenant = %(tenant)s)
  and (%(client_id)s::text is null or t.client_id = %(client_id)s)
  and (%(names)s::text[] is null
       or coalesce(t.context #> '{bundle,assignees}', '[]') = '[]'
       or t.context #> '{bundle,assignees}' ?| %(names)s::text[])
order by t.started_at, t.node_id
