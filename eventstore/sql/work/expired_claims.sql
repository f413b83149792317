-- work/expired_claims: plans and outputs whose worker claimed them, never said that it started, and has not been heard of.
select w.*
from flex_work w
where w.worker is not null and not w.started and w.lease_until <= now() and w.kind <> 'node'
order by w.lease_until
limit %(limit)s
