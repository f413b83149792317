-- The timer of a request fires twice now: when the end of its time is announced (a fifth of it before, an hour at most),
-- and at the end. Those of open requests are moved to the first of the two.

update flex_work w
set due_at = w.due_at - make_interval(secs => least(3600, 0.2 * (q.rules ->> 'expiresInSeconds')::double precision))
from hitl_requests q
where w.kind = 'request_expiry' and w.ref = q.id and jsonb_typeof(q.rules -> 'expiresInSeconds') = 'number';
