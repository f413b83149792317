-- work/lapse_leases: expire all leases of a process that has ended or is about to. Where the work that blocked its
-- event loop is known, that is charged with the loss, claimed or not, and the rest are bystanders.
update flex_work w
set worker = coalesce(w.worker, %(worker)s), lease_until = now(),
    lost_as = coalesce(w.lost_as, case
      when %(run_id)s::uuid is null then 'died'
      when w.run_id = %(run_id)s::uuid and w.ref = %(ref)s then 'stalled'
      else 'bystander' end)
where w.worker like '%%:' || %(origin)s || '%%'
   or (w.worker is null and not w.started and w.kind in ('plan', 'output') and w.run_id = %(run_id)s::uuid
       and w.ref = %(ref)s)
