-- work/oldest_waiting: the seconds that the oldest due and free work of these queues has waited; null where there is
-- none.
select extract(epoch from clock_timestamp() - min(oldest.due_at))::float8
from unnest(%(queues)s::text[]) as q (queue)
cross join lateral (
  select due_at from flex_work f
  where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= clock_timestamp()
  order by f.due_at
  limit 1
) as oldest
