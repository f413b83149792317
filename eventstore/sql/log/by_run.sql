-- log/by_run: the whole log of a range of runs, run by run, each event with the transaction that stored it.
select run_id, seq, type, payload, recorded_at, correlation_id, node_id, plan_version, message, detail,
       encode(hash, 'hex') as hash, xid, apart
from flex_events
where run_id > %(after)s::uuid and run_id <= %(until)s::uuid
order by run_id, seq
