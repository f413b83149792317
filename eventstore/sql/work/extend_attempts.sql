-- work/extend_attempts: the heartbeats of many attempts. A row for each whose worker still has it, by its place in the
-- arrays; `extended` is false where a commit had locked the row, which is skipped (waiting for several could deadlock).
-- A lease that was extended within the last twentieth of its length (half a second at most) is left as it is.
-- The extension may be lost in a crash of the database, but not in one of the process: it does not wait for the disk.
with lax as materialized (
  select set_config('synchronous_commit', 'off', true)
), named as (
  select n.*, n.seconds - least(n.seconds / 20, 0.5) as left_at_least
  from unnest(%(run_ids)s::uuid[], %(refs)s::text[], %(attempts)s::int[], %(workers)s::text[], %(seconds)s::float8[])
    with ordinality as n (run_id, ref, attempt, worker, seconds, place)
), held as (
  select n.place, coalesce(w.lease_until >= clock_timestamp() + make_interval(secs => n.left_at_least), false) as fresh
  from named n
  join flex_work w on w.run_id = n.run_id and w.kind = 'node' and w.ref = n.ref
  where w.attempt = n.attempt and w.worker = n.worker and w.started
), mine as (
  select w.run_id, w.ref, n.seconds, n.place
  from held h
  join named n on n.place = h.place
  join flex_work w on w.run_id = n.run_id and w.kind = 'node' and w.ref = n.ref
  where not h.fresh and w.attempt = n.attempt and w.worker = n.worker and w.started
  for update of w skip locked
), extended as (
  update flex_work w
  set lease_until = clock_timestamp() + make_interval(secs => mine.seconds)
  from mine, lax
  where w.run_id = mine.run_id and w.kind = 'node' and w.ref = mine.ref
  returning mine.place
)
select h.place - 1 as place, h.fresh or e.place is not null as extended
from held h
left join extended e on e.place = h.place
