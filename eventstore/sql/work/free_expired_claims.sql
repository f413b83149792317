-- work/free_expired_claims: free nodes that were claimed and not started, and whose claim has expired.
with late as (
  select w.run_id, w.kind, w.ref from flex_work w
  where w.worker is not null and not w.started and w.lease_until <= now()
    and w.kind not in ('plan', 'output')  -- "= 'node'" would tempt the planner to another index
  for update skip locked
)
update flex_work w
set worker = null, lease_until = null
from late
where w.run_id = late.run_id and w.kind = late.kind and w.ref = late.ref
