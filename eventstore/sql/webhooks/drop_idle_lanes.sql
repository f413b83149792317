-- webhooks/drop_idle_lanes: delete some of the lanes in which nothing waits; how many. One that is just being filled
-- again stays.
with idle as (
  select l.hook_id, l.run_id
  from flex_webhooks h
  join flex_webhook_lanes l on l.hook_id = h.id and l.due_at = 'infinity'
  limit %(limit)s
  for update of l skip locked
), dropped as (
  delete from flex_webhook_lanes l using idle
  where l.hook_id = idle.hook_id and l.run_id = idle.run_id
  returning 1
)
select count(*) from dropped
