-- metrics/work: for each queue with free work, how much of it is due, counted up to a limit, and the seconds that the
-- oldest has been due.
select q.queue,
       (select count(*) from (
          select from flex_work f
          where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= clock_timestamp()
          limit %(limit)s) counted) as due,
       coalesce((select extract(epoch from clock_timestamp() - f.due_at)::float8 from flex_work f
                 where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= clock_timestamp()
                 order by f.due_at
                 limit 1), 0) as oldest_seconds
from flex_free_queues() as q (queue)
limit %(queues)s
