-- work/revive: outstanding work that failed too often is tried anew; wakes those who serve its queue.
with revived as (
  update flex_work w
  set failures = 0
  where w.run_id = %(run_id)s and w.kind = %(kind)s and w.ref = %(ref)s
  returning w.queue
)
select pg_notify('flexrun_work', ';' || queue) from revived
