-- work/expired_leases: started work whose lease has expired.
select w.*
from flex_work w
where w.worker is not null and w.started and w.lease_until <= now()
order by w.lease_until
limit %(limit)s
