-- runs/get: one run with what listings leave out.
select r.run_id::text, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
       r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at,
       r.envelope, r.output, r.origin
from flex_runs r
where r.run_id = %(run_id)s
