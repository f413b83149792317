-- Read models: functions of the log, written in the same commit, rebuilt by eventstore/rebuild.py.
-- Only the lease columns of flex_work (worker, lease_until, hinted_at, failures) are not in the log.

create table flex_runs (
  run_id         uuid        not null constraint flex_runs_pkey primary key,
  status         text        not null,
  head_seq       integer     not null,
  objective      text        not null,
  thread_id      text,
  envelope       jsonb       not null,
  schema_hash    text,
  output         jsonb,
  error          jsonb,
  plan_version   integer,
  tenant         text,
  run_label      text,
  submitted_by   text,
  origin         jsonb,
  correlation_id text,
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  completed_at   timestamptz,
  deadline_at    timestamptz
) with (fillfactor = 70);

-- A run's row is updated at each commit; a large envelope stays out of the row, so that it is not copied each time.
alter table flex_runs alter column envelope set storage external;
create index flex_runs_created on flex_runs (created_at, run_id);
create index flex_runs_status on flex_runs (status, created_at, run_id);
create index flex_runs_thread on flex_runs (thread_id, created_at) where thread_id is not null;

create table flex_plan_nodes (
  run_id            uuid    not null,
  node_id           text    not null,
  ordinal           integer not null,
  capability_id     text    not null,
  kind              text    not null,
  label             text    not null,
  queue             text    not null,
  executor_type     text    not null,
  depends_on        jsonb   not null,
  status            text    not null,
  attempt           integer not null,
  failures          integer not null,
  losses            integer not null,
  due_at            timestamptz,
  context           jsonb,
  output            jsonb,
  error             jsonb,
  validation_errors jsonb,
  started_at        timestamptz,
  finished_at       timestamptz,
  constraint flex_plan_nodes_pkey primary key (run_id, node_id)
) with (fillfactor = 70);

comment on column flex_plan_nodes.context is 'the bundle of the last attempt, without the outputs of other nodes';

create table hitl_requests (
  id           text        not null constraint hitl_requests_pkey primary key,
  run_id       uuid        not null,
  thread_id    text,
  node_id      text,
  kind         text        not null,
  subject      text        not null,
  status       text        not null check (status in ('open', 'resolved', 'cancelled')),
  payload      jsonb       not null,
  rules        jsonb       not null,
  votes        jsonb       not null,
  decision     text,
  operator     text,
  note         text,
  created_at   timestamptz not null,
  expires_at   timestamptz,
  resolved_at  timestamptz
);

create index hitl_requests_run on hitl_requests (run_id, created_at, id);
create index hitl_requests_open on hitl_requests (created_at, id) where status = 'open';
create index hitl_requests_open_thread on hitl_requests (thread_id, created_at, id) where status = 'open';

create table flex_work (
  run_id      uuid        not null,
  kind        text        not null,
  ref         text        not null,
  queue       text        not null,
  attempt     integer     not null,
  started     boolean     not null,
  due_at      timestamptz not null,
  worker      text,
  lease_until timestamptz,
  hinted_at   timestamptz not null default clock_timestamp(),
  failures    integer     not null default 0,
  constraint flex_work_pkey primary key (run_id, kind, ref)
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);

comment on column flex_work.due_at is 'when it may be done: its own time, or the moment at which it became outstanding';
comment on column flex_work.hinted_at is 'when a broker was last told of it';
comment on column flex_work.failures is 'how often handling it failed in a way that nobody foresaw';

create index flex_work_free on flex_work (queue, due_at) where not started and worker is null;
create index flex_work_leased on flex_work (worker) where worker is not null;

-- The queues that have free work, without looking at all of it: one index probe for each queue.
create function flex_free_queues() returns setof text language sql stable as $$
  with recursive free (queue) as (
    (select w.queue from flex_work w where not w.started and w.worker is null order by w.queue limit 1)
    union all
    select (select w.queue from flex_work w
            where not w.started and w.worker is null and w.queue > free.queue order by w.queue limit 1)
    from free where free.queue is not null)
  select queue from free where queue is not null
$$;

-- Not derived: who can do what.
create table flex_capabilities (
  capability_id text        not null constraint flex_capabilities_pkey primary key,
  descriptor    jsonb       not null,
  worker        text        not null,
  registered_at timestamptz not null default clock_timestamp(),
  last_seen_at  timestamptz not null default clock_timestamp()
);
