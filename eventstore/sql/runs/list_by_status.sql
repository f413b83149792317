-- runs/list_by_status: the same for some statuses; walks flex_runs_status once for each.
select r.run_id::text, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
       r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at
from unnest(%(statuses)s::text[]) as s (status)
cross join lateral (
  select r.* from flex_runs r
  where r.status = s.status
    and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
    and (%(client_id)s::text is null or r.client_id = %(client_id)s)
    and (%(run_label)s::text is null or r.run_label = %(run_label)s)
  order by r.created_at desc, r.run_id desc
  limit %(limit)s
) r
order by r.created_at desc, r.run_id desc
limit %(limit)s
