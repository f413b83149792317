-- log/plan_in_force: the event with the plan that a run had at a seq.
select *
from flex_event_rows
where run_id = %(run_id)s and seq <= %(until)s and type in ('plan_generated', 'plan_updated')
order by seq desc
limit 1
