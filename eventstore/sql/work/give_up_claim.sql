-- work/give_up_claim: free work that this name has and has not started, and wake those who serve its queue.
with freed as (
  update flex_work w
  set worker = null, lease_until = null
  where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s and w.attempt = %(attempt)s
    and w.worker = %(worker)s and not w.started
  returning w.queue
)
select pg_notify('flexrun_work', ';' || queue) from freed
