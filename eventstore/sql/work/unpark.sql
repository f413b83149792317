-- work/unpark: free work that waits under a name, the oldest first, and wake those who serve its queues.
select u.*, pg_notify('flexrun_work', ';' || u.queue)
from flex_unpark(%(capability_id)s, %(waits_as)s, %(limit)s) u
