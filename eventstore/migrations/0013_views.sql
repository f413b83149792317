-- Each list of columns once: what is read of an event, a run, a request, a person's task, a delivery. Statements filter and
-- sort these views; rows are read by the names of their columns (eventstore/rows.py). To show one more column, replace the
-- view in a new migration with the column at its end, and add the field to the row.

create view flex_event_rows as
select e.run_id, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version, e.message, e.detail
from flex_events e;

create view flex_run_rows as
select r.run_id, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
       r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at
from flex_runs r;

create view hitl_request_rows as
select q.id as request_id, q.run_id, q.thread_id, q.node_id, q.kind, q.subject, q.status, q.payload, q.rules, q.votes,
       q.proposal, q.decision, q.operator, q.note, q.created_at, q.expires_at, q.resolved_at,
       r.status as run_status, r.plan_version, r.objective, r.updated_at as run_updated_at,
       coalesce(r.envelope #>> '{metadata,briefId}', r.envelope #>> '{inputs,briefId}') as brief_id, r.client_id
from hitl_requests q
join flex_runs r on r.run_id = q.run_id;

comment on view hitl_request_rows is 'requests, open or not, with facts of their runs';

create view flex_task_rows as
select n.run_id, n.node_id, n.capability_id, n.label, n.attempt, n.context, n.started_at,
       r.thread_id, r.plan_version, r.objective, r.client_id, r.status as run_status, w.due_at as expires_at
from flex_runs r
join flex_plan_nodes n on n.run_id = r.run_id and n.executor_type = 'human'
left join flex_work w on w.run_id = n.run_id and w.kind = 'task_expiry' and w.ref = n.node_id
where n.status = 'awaiting_human';

comment on view flex_task_rows is 'nodes that wait for the work of a person';

create view flex_webhook_delivery_rows as
select d.hook_id, d.run_id, d.seq, d.type, d.status, d.attempts, d.created_at, d.attempted_at,
       (select l.due_at from flex_webhook_lanes l
        where l.hook_id = d.hook_id and l.run_id = d.run_id and l.worker is null and d.status = 'pending'
          and d.seq = (select min(o.seq) from flex_webhook_deliveries o
                       where o.hook_id = l.hook_id and o.run_id = l.run_id and o.seq > l.done_seq)) as next_attempt_at,
       d.response_status, d.error, d.finished_at
from flex_webhook_deliveries d;

comment on column flex_webhook_delivery_rows.next_attempt_at is 'only the head of a lane has one';
