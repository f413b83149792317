-- webhooks/next_delivery: the seconds until the next lane is due at a webhook that has a free slot here; null for none.
select extract(epoch from min(l.due_at) - clock_timestamp())::float8
from flex_webhooks h
left join unnest(%(busy_hooks)s::uuid[], %(busy_slots)s::integer[]) as b (hook_id, slots) on b.hook_id = h.id
cross join lateral (
  select w.due_at from flex_webhook_lanes w
  where w.hook_id = h.id and w.due_at < 'infinity'
  order by w.due_at
  limit 1
) as l
where h.disabled_at is null and coalesce(b.slots, 0) < %(slots)s
