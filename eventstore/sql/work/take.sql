-- work/take: claim one piece of work by name, unless it is started, has changed, or is somebody else's.
-- A suspect, which has cost a worker before, is claimed only where suspects may be.
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.worker is null and not w.started
  and (%(suspects)s or w.losses is null or w.losses = '[]')
returning w.attempt
