-- What the doors for people look up: nodes that people do, forks of a run; and secrets that all gateways share.

-- Neither column ever changes, so a node's updates stay heap-only; its status is looked up in the row.
create index flex_plan_nodes_people on flex_plan_nodes (run_id, node_id) where executor_type = 'human';

create index flex_runs_forks on flex_runs ((origin ->> 'runId'), created_at) where origin ->> 'runId' is not null;

-- Not derived: made once by whoever needs it first, the same for every process on this database.
create table flex_secrets (
  name       text        not null constraint flex_secrets_pkey primary key,
  value      bytea       not null,
  created_at timestamptz not null default clock_timestamp()
);
