-- work/take: claim one piece of work by its key, unless it is started, claimed by others, or has another attempt by now.
-- A suspect, over which a worker was lost before, is claimed only where `suspects` is true.
-- The answer has a row for each of the run's first events, so many at most, and one row where none is asked for.
-- The claim may be lost in a crash of the database, but not in one of the worker: it does not wait for the disk.
with lax as materialized (
  select set_config('synchronous_commit', 'off', true)
), taken as (
  update flex_work w
  set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
  from lax
  where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
    and (w.worker is null or w.worker = %(worker)s) and not w.started
    and (%(suspects)s or w.losses is null or w.losses = '[]')
  returning w.attempt
)
select e.*
from taken t
left join lateral (
  select * from flex_event_rows f where f.run_id = %(run_id)s order by f.seq limit %(limit)s
) e on true
order by e.seq
