-- log/read_whole: the whole log in commit order, after a cursor, as far as no open transaction can still put anything
-- before it.
select *
from flex_events e
where (e.xid, e.position) > (%(xid)s::text::xid8, %(position)s)
  and e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.xid, e.position
limit %(limit)s
