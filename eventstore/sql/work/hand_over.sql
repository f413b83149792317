-- work/hand_over: give the lease of a started attempt to a name that sends no heartbeats, for some time; when it ends.
update flex_work w
set worker = %(to)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s), lost_as = null
where w.run_id = %(run_id)s and w.kind = 'node' and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.started and w.worker = %(worker)s
returning w.lease_until
