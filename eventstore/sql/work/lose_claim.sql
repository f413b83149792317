-- work/lose_claim: free an expired claim, and charge the work with the loss of its worker.
update flex_work w
set worker = null, lease_until = null, losses = %(losses)s::text::jsonb, lost_as = null
where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.worker = %(worker)s and not w.started
