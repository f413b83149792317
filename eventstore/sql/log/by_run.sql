-- log/by_run: the whole log, run by run, each event with the transaction that stored it.
select *
from flex_events
order by run_id, seq
