-- work/expired_leases: started work whose worker has not been heard of.
select w.run_id::text, w.kind, w.ref, w.queue, w.attempt, w.started, w.due_at, w.worker, w.lease_until,
       w.lost_as, w.losses
from flex_work w
where w.worker is not null and w.started and w.lease_until <= now()
order by w.lease_until
limit %(limit)s
