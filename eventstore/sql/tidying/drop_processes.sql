-- tidying/drop_processes: forget some of the processes that were not heard of for long; how many.
with silent as (
  select p.worker, p.role from flex_processes p
  where p.heard_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
  limit %(limit)s
  for update of p skip locked
), dropped as (
  delete from flex_processes p using silent s
  where p.worker = s.worker and p.role = s.role
  returning 1
)
select count(*) from dropped
