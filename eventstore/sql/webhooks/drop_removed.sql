-- webhooks/drop_removed: delete removed webhooks that have no lanes and deliveries left.
delete from flex_webhooks h
where h.removed_at is not null
  and not exists (select from flex_webhook_lanes l where l.hook_id = h.id)
  and not exists (select from flex_webhook_deliveries d where d.hook_id = h.id)
