-- What takes work or answers requests: a row for each role of a process, which tells about itself every few seconds, and
-- one for each worker that claims its work at a gateway.
create table flex_processes (
  worker              text        not null,
  role                text        not null check (role in ('gateway', 'planner', 'executor', 'worker')),
  version             text,
  queues              text[]      not null,
  slots               integer,
  busy                integer,
  taken_at            timestamptz,
  clock_ahead_seconds double precision,
  started_at          timestamptz not null default clock_timestamp(),
  heard_at            timestamptz not null default clock_timestamp(),
  constraint flex_processes_pkey primary key (worker, role)
);

comment on column flex_processes.worker is 'as leases name it';
comment on column flex_processes.busy is 'how many of its slots are taken, as it says; of a worker at a gateway not known';
comment on column flex_processes.taken_at is 'when it last took work';
comment on column flex_processes.clock_ahead_seconds is 'its clock less the clock of the database';

create index flex_processes_heard on flex_processes (heard_at);
