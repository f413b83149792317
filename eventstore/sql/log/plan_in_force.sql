-- log/plan_in_force: the event that gave a run the plan it had at a seq.
select *
from flex_event_rows
where run_id = %(run_id)s and seq <= %(until)s and type in ('plan_generated', 'plan_updated')
order by seq desc
limit 1
