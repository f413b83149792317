-- webhooks/add: add a webhook, which receives all later events; no row where there are too many already.
insert into flex_webhooks as h (id, url, event_types, description, secret, created_by, tenant)
select %(id)s, %(url)s, %(event_types)s::text[], %(description)s::text, %(secret)s::bytea, %(created_by)s::text, %(tenant)s
where (select count(*) from flex_webhooks o where o.tenant = %(tenant)s and o.removed_at is null and o.id <> %(id)s) < %(limit)s
on conflict (id) do update set id = excluded.id
returning h.created_at
