-- work/take: claim one piece of work by its key, unless it is started, claimed, or has another attempt by now.
-- A suspect, over which a worker was lost before, is claimed only where `suspects` is true.
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.worker is null and not w.started
  and (%(suspects)s or w.losses is null or w.losses = '[]')
returning w.attempt
