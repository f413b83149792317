-- processes/remote_alive: these workers were heard of at a gateway; some took work, so many seconds ago.
update flex_processes p
set heard_at = clock_timestamp(),
    taken_at = greatest(p.taken_at, clock_timestamp() - make_interval(secs => a.taken_seconds))
from unnest(%(workers)s::text[], %(taken_seconds)s::float8[]) as a (worker, taken_seconds)
where p.worker = a.worker and p.role = 'worker'
