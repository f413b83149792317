-- webhooks/disable: disable a webhook: nothing more is fed or delivered to it.
update flex_webhooks h
set disabled_at = clock_timestamp(), disabled_reason = %(reason)s
where h.id = %(id)s and h.disabled_at is null
