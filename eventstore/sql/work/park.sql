-- work/park: let unstarted work wait under a name, for some time.
update flex_work w
set worker = %(waits_as)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
where w.run_id = %(run_id)s and w.kind = 'node' and w.ref = %(ref)s and w.attempt = %(attempt)s and not w.started
