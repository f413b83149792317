-- work/extend_lease: the heartbeat of one attempt; a row where its worker still has it.
-- The extension may be lost in a crash of the database, but not in one of the process: it does not wait for the disk.
with lax as materialized (
  select set_config('synchronous_commit', 'off', true)
)
update flex_work w
set lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from lax
where w.run_id = %(run_id)s and w.kind = 'node' and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.worker = %(worker)s and w.started
returning w.attempt
