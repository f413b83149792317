-- log/read: a run's events after a seq (and up to one, where given), in order.
select run_id::text, seq, type, payload, recorded_at, correlation_id, node_id, plan_version, message, detail
from flex_events
where run_id = %(run_id)s and seq > %(after)s and seq <= %(until)s
order by seq
limit %(limit)s
