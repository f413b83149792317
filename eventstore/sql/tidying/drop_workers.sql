-- tidying/drop_workers: forget some of the workers that were not heard of for long; how many. Of each version of a
-- capability the last one stays: it says since when no worker serves it.
with silent as (
  select w.worker, w.capability_id, w.version
  from flex_capability_workers w
  where w.last_seen_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
    and exists (
      select from flex_capability_workers later
      where later.capability_id = w.capability_id and later.version = w.version
        and (later.last_seen_at, later.worker) > (w.last_seen_at, w.worker))
  limit %(limit)s
  for update of w skip locked
), dropped as (
  delete from flex_capability_workers w using silent s
  where w.worker = s.worker and w.capability_id = s.capability_id and w.version = s.version
  returning 1
)
select count(*) from dropped
