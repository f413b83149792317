-- work/unclaimed: due work that is unclaimed a while after its hint was sent; marked as hinted now.
-- Work of remote workers gets no hints.
with late as (
  select w.run_id, w.kind, w.ref
  from flex_free_queues() as q (queue)
  cross join lateral (
    select f.run_id, f.kind, f.ref, f.due_at
    from flex_work f
    where f.queue = q.queue and f.queue <> %(timer_queue)s
      and not starts_with(f.queue, %(remote_queues)s) and not f.started and f.worker is null
      and f.due_at <= now() - make_interval(secs => %(older_than_seconds)s)
      and f.hinted_at <= now() - make_interval(secs => %(older_than_seconds)s)
    order by f.due_at
    limit %(limit)s
    for update skip locked
  ) w
  order by w.due_at
  limit %(limit)s
)
update flex_work w
set hinted_at = clock_timestamp()
from late
where w.run_id = late.run_id and w.kind = late.kind and w.ref = late.ref
returning w.*
