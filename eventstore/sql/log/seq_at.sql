-- log/seq_at: the last event of a run that was there at a time; 0 before its first one.
select coalesce(max(e.seq), 0)
from flex_events e
where e.run_id = %(run_id)s and e.recorded_at <= %(at)s
