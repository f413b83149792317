-- work/due_timers: request expiries and deadlines whose time has come.
select w.run_id::text, w.kind, w.ref, w.queue, w.attempt, w.started, w.due_at, w.worker, w.lease_until
from flex_work w
where w.queue = %(queue)s and not w.started and w.worker is null and w.due_at <= now()
order by w.due_at
limit %(limit)s
