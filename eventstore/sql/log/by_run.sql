-- log/by_run: the whole log, run by run, each event with the transaction that stored it.
select e.xid::text, e.run_id::text, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version,
       e.message, e.detail
from flex_events e
order by e.run_id, e.seq
