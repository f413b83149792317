-- capabilities/workers: who serves a capability, heard of most lately first.
select w.worker, w.version, w.slots, w.last_seen_at
from flex_capability_workers w
where w.capability_id = %(capability_id)s
order by w.last_seen_at desc, w.worker
limit %(limit)s
