-- Runs are found by who sent them, what they are called, how they failed, and what works on them: each filter of the list
-- walks an index of its own, newest first, so that it reads as many rows as it shows. Columns that a run has from its start
-- cost one entry for each run that has them; the error is written once, with the end of the run.

create index flex_runs_client on flex_runs (client_id, created_at, run_id) where client_id is not null;
create index flex_runs_label on flex_runs (run_label, created_at, run_id) where run_label is not null;
create index flex_runs_submitter on flex_runs (submitted_by, created_at, run_id) where submitted_by is not null;
create index flex_runs_error on flex_runs ((error ->> 'code'), created_at, run_id) where error ->> 'code' is not null;

-- A node has the time at which its run was made, so that the runs of a capability are found newest first.
alter table flex_plan_nodes add column run_created_at timestamptz;
comment on column flex_plan_nodes.run_created_at is 'created_at of its run';
update flex_plan_nodes n set run_created_at = r.created_at from flex_runs r where r.run_id = n.run_id;
create index flex_plan_nodes_runs on flex_plan_nodes (capability_id, run_created_at, run_id)
  where run_created_at is not null;
