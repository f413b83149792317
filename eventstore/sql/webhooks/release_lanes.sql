-- webhooks/release_lanes: release all lanes of this worker; another one may claim them at once.
update flex_webhook_lanes l set worker = null, due_at = clock_timestamp() where l.worker = %(worker)s
