-- runs/list_by_thread: the same for one thread; walks flex_runs_thread.
select *
from flex_run_rows r
where r.thread_id = %(thread_id)s
  and (r.created_at, r.run_id) < (coalesce(%(created_before)s, 'infinity'::timestamptz), %(run_before)s::uuid)
  and (%(statuses)s::text[] is null or r.status = any (%(statuses)s))
  and (%(client_id)s::text is null or r.client_id = %(client_id)s)
  and (%(run_label)s::text is null or r.run_label = %(run_label)s)
order by r.created_at desc, r.run_id desc
limit %(limit)s
