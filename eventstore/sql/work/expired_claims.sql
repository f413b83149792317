-- work/expired_claims: plans and outputs that were claimed and not started, and whose claim has expired.
select w.*
from flex_work w
where w.worker is not null and not w.started and w.lease_until <= now() and w.kind <> 'node'
order by w.lease_until
limit %(limit)s
