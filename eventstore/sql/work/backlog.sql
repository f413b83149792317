-- work/backlog: the number of due, unclaimed pieces of work, counted up to a limit.
select count(*) from (
  select from flex_work w
  where not w.started and w.worker is null and w.queue <> %(timer_queue)s and w.due_at <= now()
  limit %(limit)s
) counted
