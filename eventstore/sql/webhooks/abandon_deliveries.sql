-- webhooks/abandon_deliveries: give up a bundle of the deliveries that wait for disabled webhooks; how many.
with lane as (
  select l.hook_id, l.run_id
  from flex_webhooks h
  join flex_webhook_lanes l on l.hook_id = h.id
  where h.disabled_at is not null
  limit %(limit)s
  for update of l skip locked
), waiting as (
  select d.hook_id, d.run_id, d.seq, h.disabled_reason
  from flex_webhooks h
  join flex_webhook_deliveries d on d.hook_id = h.id and d.status = 'pending'
  where h.disabled_at is not null and h.removed_at is null
  limit %(limit)s
  for update of d skip locked
), dropped as (
  delete from flex_webhook_lanes l using lane
  where l.hook_id = lane.hook_id and l.run_id = lane.run_id
  returning 1
), abandoned as (
  update flex_webhook_deliveries d
  set status = 'given_up', finished_at = clock_timestamp(),
      error = concat_ws('; ', d.error, 'the webhook was disabled: ' || waiting.disabled_reason)
  from waiting
  where d.hook_id = waiting.hook_id and d.run_id = waiting.run_id and d.seq = waiting.seq
  returning 1
)
select (select count(*) from dropped) + (select count(*) from abandoned)
