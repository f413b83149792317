-- webhooks/claim_lanes: for each webhook the lanes that are due, as many as it has free slots here; the attempt
-- counts from now on, and when the lease is over, the lane is due again.
with free as (
  select l.hook_id, l.run_id
  from flex_webhooks h
  left join unnest(%(busy_hooks)s::uuid[], %(busy_slots)s::integer[]) as b (hook_id, slots) on b.hook_id = h.id
  cross join lateral (
    select w.hook_id, w.run_id
    from flex_webhook_lanes w
    where w.hook_id = h.id and w.due_at <= now()
    order by w.due_at
    limit greatest(%(slots)s - coalesce(b.slots, 0), 0)
    for no key update skip locked
  ) as l
  where h.disabled_at is null
)
update flex_webhook_lanes l
set worker = %(worker)s, attempts = l.attempts + 1,
    due_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from free
where l.hook_id = free.hook_id and l.run_id = free.run_id
returning l.hook_id, l.run_id
