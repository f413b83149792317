-- webhooks/claimed_deliveries: the next delivery of each of these lanes, with all that sending it takes. Asked in a
-- statement of its own, since the worker that had a lane before may have finished a delivery after the claim's
-- snapshot was taken.
select l.hook_id, h.url, h.secret, l.attempts as attempt,
       e.run_id, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version, e.message, e.apart
from unnest(%(hook_ids)s::uuid[], %(run_ids)s::uuid[]) as c (hook_id, run_id)
join flex_webhook_lanes l on l.hook_id = c.hook_id and l.run_id = c.run_id and l.worker = %(worker)s
join flex_webhooks h on h.id = l.hook_id and h.disabled_at is null
cross join lateral (
  select d.seq from flex_webhook_deliveries d
  where d.hook_id = l.hook_id and d.run_id = l.run_id and d.seq > l.done_seq
  order by d.seq
  limit 1
) as d
join flex_events e on e.run_id = l.run_id and e.seq = d.seq
