-- metrics/waiting: dead letters and open requests, each counted up to a limit, how long the oldest request has waited,
-- how long an open transaction has hidden the oldest event that it hides, the age of the oldest pending delivery of
-- an enabled webhook (of the first 100 by run, whose ids grow with time), and how many webhooks are disabled.
select (select count(*) from (select from flex_dead_letters order by id limit %(limit)s) counted) as dead_letters,
       (select count(*) from (
          select from hitl_requests where status = 'open' order by created_at, id limit %(limit)s) counted) as requests,
       coalesce((select extract(epoch from clock_timestamp() - q.created_at)::float8 from hitl_requests q
                 where q.status = 'open' order by q.created_at, q.id limit 1), 0) as oldest_request_seconds,
       coalesce((select extract(epoch from clock_timestamp() - e.recorded_at)::float8 from flex_events e
                 where e.xid >= pg_snapshot_xmin(pg_current_snapshot())
                 order by e.xid, e.position limit 1), 0) as watermark_seconds,
       coalesce((select extract(epoch from clock_timestamp() - min(first.created_at))::float8
                 from flex_webhooks h
                 cross join lateral (
                   select d.created_at from flex_webhook_deliveries d
                   where d.hook_id = h.id and d.status = 'pending'
                   order by d.run_id, d.seq limit 100) first
                 where h.disabled_at is null and h.removed_at is null), 0) as webhook_seconds,
       (select count(*) from flex_webhooks h
        where h.disabled_at is not null and h.removed_at is null) as webhooks_disabled
