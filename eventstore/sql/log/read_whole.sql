-- log/read_whole: the whole log in commit order, after a cursor, as far as no open transaction can still put anything before
-- it. The column is compared as xid8: as text, '9' would come after '10'.
select e.run_id::text, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version,
       e.message, e.detail, e.xid::text as xid_text, e.position
from flex_events e
where (e.xid, e.position) > (%(xid)s::text::xid8, %(position)s)
  and e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.xid, e.position
limit %(limit)s
