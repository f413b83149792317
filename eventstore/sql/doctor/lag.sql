-- doctor/lag: for how long the oldest due work, the oldest undelivered event of a webhook and the oldest open
-- transaction that writes have been waiting, in seconds; and how much there is of dead letters.
select (select extract(epoch from clock_timestamp() - min(oldest.due_at))::float8
        from flex_free_queues() as q (queue)
        cross join lateral (
          select f.due_at from flex_work f
          where f.queue = q.queue and f.queue <> %(timer_queue)s and not f.started and f.worker is null
            and f.due_at <= clock_timestamp()
          order by f.due_at
          limit 1
        ) oldest) as due_seconds,
       (select extract(epoch from clock_timestamp() - min(d.created_at))::float8
        from (select d.created_at from flex_webhook_deliveries d
              join flex_webhooks h on h.id = d.hook_id and h.disabled_at is null
              where d.status = 'pending' limit 100000) d) as webhook_seconds,
       (select extract(epoch from clock_timestamp() - min(a.xact_start))::float8 from pg_stat_activity a
        where a.datname = current_database() and a.backend_xid is not null and a.pid <> pg_backend_pid())
         as watermark_seconds,
       (select count(*) from (select from flex_dead_letters limit 10000) l)::int as dead_letters
