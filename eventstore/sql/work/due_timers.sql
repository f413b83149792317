-- work/due_timers: request expiries and deadlines whose time has come.
select w.*
from flex_work w
where w.queue = %(queue)s and not w.started and w.worker is null and w.due_at <= now()
order by w.due_at
limit %(limit)s
