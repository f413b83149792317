-- webhooks/release_lanes: give back all that this worker holds: somebody else may take it at once.
update flex_webhook_lanes l set worker = null, due_at = clock_timestamp() where l.worker = %(worker)s
