-- work/claim: claim the oldest free and due work of these queues; locked rows are skipped. Of suspects, over which a
-- worker was lost before, one at a time: work that was lost together is not to be lost together again.
with free as (
  select w.run_id, w.kind, w.ref, w.due_at, coalesce(w.losses <> '[]', false) as suspect
  from unnest(%(queues)s::text[]) as q (queue)
  cross join lateral (
    select f.run_id, f.kind, f.ref, f.due_at, f.losses
    from flex_work f
    where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= now()
    order by f.due_at
    limit %(limit)s
    for update skip locked
  ) w
  order by w.due_at
  limit %(limit)s
), allowed as (
  select f.run_id, f.kind, f.ref
  from (select *, row_number() over (partition by suspect order by due_at) as nth from free) f
  where not f.suspect or (f.nth = 1 and not %(has_suspect)s)
)
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from allowed a
where w.run_id = a.run_id and w.kind = a.kind and w.ref = a.ref
returning w.*
