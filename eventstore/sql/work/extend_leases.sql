-- work/extend_leases: the heartbeat of a worker; returns all its work.
-- A row that a commit has locked is skipped (waiting for several could deadlock) and is returned all the same.
with mine as (
  select w.run_id, w.kind, w.ref from flex_work w where w.worker = %(worker)s for update skip locked
), extended as (
  update flex_work w
  set lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
  from mine
  where w.run_id = mine.run_id and w.kind = mine.kind and w.ref = mine.ref
)
select w.run_id, w.kind, w.ref, w.attempt from flex_work w where w.worker = %(worker)s
