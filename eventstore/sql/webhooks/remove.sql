-- webhooks/remove: nothing is delivered to it any more, and its secret is forgotten; a row where it was there.
update flex_webhooks h
set removed_at = clock_timestamp(), disabled_at = coalesce(h.disabled_at, clock_timestamp()), secret = ''
where h.id = %(id)s and h.removed_at is null
returning h.id
