-- webhooks/drop_removed_deliveries: delete some of the deliveries of removed webhooks; how many.
with gone as (
  select d.hook_id, d.run_id, d.seq
  from flex_webhooks h
  join flex_webhook_deliveries d on d.hook_id = h.id
  where h.removed_at is not null
  limit %(limit)s
  for update of d skip locked
), dropped as (
  delete from flex_webhook_deliveries d using gone
  where d.hook_id = gone.hook_id and d.run_id = gone.run_id and d.seq = gone.seq
  returning 1
)
select count(*) from dropped
