-- processes/tell: what the roles of a process do now; a row each, by their places in the arrays.
insert into flex_processes as known (worker, role, version, queues, slots, busy, taken_at, clock_ahead_seconds)
select %(worker)s, r.role, %(version)s, string_to_array(r.queues, ' '), r.slots, r.busy,
       clock_timestamp() - make_interval(secs => r.taken_seconds),
       extract(epoch from %(clock)s::timestamptz - clock_timestamp())
from unnest(%(roles)s::text[], %(queues)s::text[], %(slots)s::int[], %(busy)s::int[], %(taken_seconds)s::float8[])
  as r (role, queues, slots, busy, taken_seconds)
order by r.role
on conflict (worker, role) do update
set version = excluded.version, queues = excluded.queues, slots = excluded.slots, busy = excluded.busy,
    taken_at = excluded.taken_at, clock_ahead_seconds = excluded.clock_ahead_seconds, heard_at = clock_timestamp()
