-- webhooks/list: all of them (or one), oldest first, with how much waits and how much was given up; the secret stays
-- here.
select h.id as hook_id, h.url, h.event_types, h.description, h.created_at, h.created_by, h.disabled_at, h.disabled_reason,
       (select count(*) from (select from flex_webhook_deliveries d where d.hook_id = h.id and d.status = 'pending'
                              limit %(most)s) as waiting) as pending,
       (select count(*) from (select from flex_webhook_deliveries d where d.hook_id = h.id and d.status = 'given_up'
                              limit %(most)s) as dropped) as given_up
from flex_webhooks h
where h.removed_at is null and (%(tenant)s::text = '*' or h.tenant = %(tenant)s)
  and (%(id)s::uuid is null or h.id = %(id)s)
order by h.created_at, h.id
