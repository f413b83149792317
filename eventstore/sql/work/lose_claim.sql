-- work/lose_claim: free a claim whose worker is gone, and charge the work with it.
update flex_work w
set worker = null, lease_until = null, losses = %(losses)s::text::jsonb, lost_as = null
where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
  and w.worker = %(worker)s and not w.started
