-- log/read: a run's events after a seq (and up to one, where given), in order.
select *
from flex_event_rows
where run_id = %(run_id)s and seq > %(after)s and seq <= %(until)s
order by seq
limit %(limit)s
