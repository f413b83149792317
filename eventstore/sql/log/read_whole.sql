-- log/read_whole: the whole log in commit order, after a cursor, as far as no open transaction can still put anything
-- before it.
select e.run_id, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version, e.message, e.detail,
       encode(e.hash, 'hex') as hash, e.xid, e.position, e.apart
from flex_events e
where (e.xid, e.position) > (%(xid)s::text::xid8, %(position)s)
  and e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.xid, e.position
limit %(limit)s
