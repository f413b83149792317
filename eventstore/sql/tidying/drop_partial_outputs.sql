-- tidying/drop_partial_outputs: delete some of what belongs to attempts that have ended; how many.
with ended as (
  select p.run_id, p.node_id
  from flex_partial_outputs p
  where p.updated_at < clock_timestamp() - make_interval(secs => %(quiet_seconds)s)
    and not exists (
      select from flex_work w
      where w.run_id = p.run_id and w.kind = 'node' and w.ref = p.node_id and w.attempt = p.attempt and w.started)
  limit %(limit)s
  for update of p skip locked
), dropped as (
  delete from flex_partial_outputs p using ended e
  where p.run_id = e.run_id and p.node_id = e.node_id
  returning 1
)
select count(*) from dropped
