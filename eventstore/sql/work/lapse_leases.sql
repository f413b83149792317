-- work/lapse_leases: all that a process held is lost; the process is known to be gone, or about to end itself.
-- Where the work that it stood still in is known, that is charged, claimed or not, and all the rest is a bystander.
update flex_work w
set worker = coalesce(w.worker, %(worker)s), lease_until = now(),
    lost_as = coalesce(w.lost_as, case
      when %(run_id)s::uuid is null then 'died'
      when w.run_id = %(run_id)s::uuid and w.ref = %(ref)s then 'stalled'
      else 'bystander' end)
where w.worker like '%%:' || %(origin)s || '%%'
   or (w.worker is null and not w.started and w.kind in ('plan', 'output') and w.run_id = %(run_id)s::uuid
       and w.ref = %(ref)s)
