-- claim_work: the oldest free and due work of these queues, marked as held; rows that others are at are passed over.
with free as (
  select w.run_id, w.kind, w.ref
  from unnest(%(queues)s::text[]) as q (queue)
  cross join lateral (
    select f.run_id, f.kind, f.ref, f.due_at
    from flex_work f
    where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= now()
    order by f.due_at
    limit %(limit)s
    for update skip locked
  ) w
  order by w.due_at
  limit %(limit)s
)
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from free
where w.run_id = free.run_id and w.kind = free.kind and w.ref = free.ref
returning w.run_id::text, w.kind, w.ref, w.queue, w.attempt, w.started, w.due_at, w.worker, w.lease_until
