-- capabilities/workers_alive: these workers were heard of just now, for all that they serve.
update flex_capability_workers w
set last_seen_at = clock_timestamp()
where w.worker = any(%(workers)s)
