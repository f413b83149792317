-- work/backlog: how much due work nobody has taken; counts no further than asked.
select count(*) from (
  select from flex_work w
  where not w.started and w.worker is null and w.queue <> %(timer_queue)s and w.due_at <= now()
  limit %(limit)s
) counted
