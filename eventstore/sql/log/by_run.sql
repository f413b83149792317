-- log/by_run: the whole log, run by run, each event with the transaction that stored it.
select run_id, seq, type, payload, recorded_at, correlation_id, node_id, plan_version, message, detail,
       encode(hash, 'hex') as hash, xid
from flex_events
order by run_id, seq
