-- adopt/needed: whether the log has transactions that this server has yet to come to, as after a dump was restored into
-- a new one. A row that can be seen was written by a transaction below the snapshot's end, where the server is its own.
select coalesce((select e.xid from flex_events e order by e.xid desc, e.position desc limit 1)
                >= pg_snapshot_xmax(pg_current_snapshot()), false)
    or coalesce((select max(h.fed_xid) from flex_webhooks h) > pg_snapshot_xmax(pg_current_snapshot()), false)
