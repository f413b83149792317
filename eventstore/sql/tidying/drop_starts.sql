-- tidying/drop_starts: delete some of the starts that count against no limit any more; how many. Those that are older
-- than a minute, and whose attempt is not in flight, do not.
with ended as (
  select s.capability_id, s.run_id, s.node_id, s.attempt
  from flex_capability_starts s
  where s.started_at < clock_timestamp() - make_interval(secs => greatest(60, %(quiet_seconds)s))
    and not exists (
      select from flex_work w
      where w.run_id = s.run_id and w.kind = 'node' and w.ref = s.node_id and w.attempt = s.attempt and w.started)
  limit %(limit)s
  for update of s skip locked
), dropped as (
  delete from flex_capability_starts s using ended e
  where s.capability_id = e.capability_id and s.run_id = e.run_id and s.node_id = e.node_id and s.attempt = e.attempt
  returning 1
)
select count(*) from dropped
