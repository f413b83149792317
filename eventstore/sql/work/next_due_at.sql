-- work/next_due_at: the earliest moment that is still to come at which work falls due.
select min(w.due_at)
from flex_free_queues() as q (queue)
cross join lateral (
  select f.due_at from flex_work f
  where f.queue = q.queue and not f.started and f.worker is null and f.due_at > now()
  order by f.due_at
  limit 1
) w
