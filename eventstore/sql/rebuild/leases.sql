-- rebuild/leases: restore the leases and the lease columns of work that is still at the same attempt.
update flex_work w
set worker = coalesce(k.worker, w.worker), lease_until = coalesce(k.lease_until, w.lease_until),
    hinted_at = k.hinted_at, failures = k.failures, losses = k.losses, lost_as = k.lost_as
from kept_leases k
where w.run_id = k.run_id and w.kind = k.kind and w.ref = k.ref and w.attempt = k.attempt and w.started = k.started
