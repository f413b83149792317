-- webhooks/drop_finished_deliveries: delete some of the deliveries that were finished long ago; how many.
with old as (
  select d.hook_id, d.run_id, d.seq from flex_webhook_deliveries d
  where d.finished_at < now() - make_interval(secs => %(keep_seconds)s)
  order by d.finished_at
  limit %(limit)s
  for update skip locked
), dropped as (
  delete from flex_webhook_deliveries d using old
  where d.hook_id = old.hook_id and d.run_id = old.run_id and d.seq = old.seq
  returning 1
)
select count(*) from dropped
