-- webhooks/remove: remove a webhook: nothing more is delivered to it, and its secret is deleted; a row where there
-- was one.
update flex_webhooks h
set removed_at = clock_timestamp(), disabled_at = coalesce(h.disabled_at, clock_timestamp()), secret = ''
where h.id = %(id)s and h.removed_at is null and (%(tenant)s::text = '*' or h.tenant = %(tenant)s)
returning h.id
