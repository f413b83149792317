-- The registry of capabilities: several versions of one id, where each comes from, who serves it and how it fares.

alter table flex_capabilities
  add column version text not null default '1.0.0',
  add column source text not null default 'worker' check (source in ('worker', 'api', 'file')),
  add column disabled boolean not null default false,
  add column failures integer not null default 0,
  add column open_until timestamptz,
  add column last_taken_at timestamptz;

update flex_capabilities set version = coalesce(descriptor ->> 'version', '1.0.0');

alter table flex_capabilities drop constraint flex_capabilities_pkey;
alter table flex_capabilities add constraint flex_capabilities_pkey primary key (capability_id, version);

comment on column flex_capabilities.source is 'who registered it: a process that runs it, a caller, a file of descriptors';
comment on column flex_capabilities.failures is 'calls of its endpoint that failed in a row';
comment on column flex_capabilities.open_until is 'its endpoint is not called before then';
comment on column flex_capabilities.last_taken_at is 'when an attempt of it last began';

-- Who serves a capability, and when it was last heard of.
create table flex_capability_workers (
  worker        text        not null,
  capability_id text        not null,
  version       text        not null,
  slots         integer,
  last_seen_at  timestamptz not null default clock_timestamp(),
  constraint flex_capability_workers_pkey primary key (worker, capability_id, version)
);

create index flex_capability_workers_seen on flex_capability_workers (capability_id, last_seen_at);

-- The attempts that count against a limit: those whose work is in flight, and those that began within a minute.
create table flex_capability_starts (
  capability_id text        not null,
  run_id        uuid        not null,
  node_id       text        not null,
  attempt       integer     not null,
  started_at    timestamptz not null default clock_timestamp(),
  constraint flex_capability_starts_pkey primary key (capability_id, run_id, node_id, attempt)
);

create index flex_capability_starts_time on flex_capability_starts (capability_id, started_at);

-- Facets that callers and files add to those that are shipped.
create table flex_facets (
  name          text        not null,
  version       text        not null,
  description   text        not null,
  schema        jsonb       not null,
  many          boolean     not null default false,
  source        text        not null,
  registered_at timestamptz not null default clock_timestamp(),
  constraint flex_facets_pkey primary key (name, version)
);

alter table flex_plan_nodes add column capability_version text;

create index flex_plan_nodes_capability on flex_plan_nodes (capability_id, finished_at)
  where finished_at is not null;
