-- log/lag: how many stored events the watermark still hides, and how old the oldest of them is.
select count(*) as events, coalesce(extract(epoch from clock_timestamp() - min(e.recorded_at))::float8, 0) as seconds
from flex_events e
where e.xid >= pg_snapshot_xmin(pg_current_snapshot())
