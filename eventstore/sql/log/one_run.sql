-- log/one_run: the whole log of a run, each event with the transaction that stored it.
select r.*, e.xid
from flex_event_rows r
join flex_events e on e.run_id = r.run_id and e.seq = r.seq
where r.run_id = %(run_id)s
order by r.seq
