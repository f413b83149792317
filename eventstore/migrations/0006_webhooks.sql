-- Outgoing notices. Not derived: who is told of what, and what became of each delivery.

create table flex_webhooks (
  id              uuid        not null constraint flex_webhooks_pkey primary key,
  url             text        not null,
  event_types     text[]      not null check (cardinality(event_types) > 0),
  description     text,
  secret          bytea       not null,
  created_at      timestamptz not null default clock_timestamp(),
  created_by      text,
  created_in      pg_snapshot not null default pg_current_snapshot(),
  fed_xid         xid8        not null default pg_snapshot_xmin(pg_current_snapshot()),
  fed_position    bigint      not null default 0,
  disabled_at     timestamptz,
  disabled_reason text,
  removed_at      timestamptz
) with (fillfactor = 50);

comment on column flex_webhooks.created_in is 'what was stored already when it was made, and is none of its business';
comment on column flex_webhooks.fed_xid is 'with fed_position the place in the whole log up to which its deliveries are written';
comment on column flex_webhooks.disabled_at is 'nothing is fed or delivered from then on; removing it disables it too';
comment on column flex_webhooks.removed_at is 'shown no more; its rows go a bundle at a time';

-- One event for one webhook.
create table flex_webhook_deliveries (
  hook_id         uuid        not null constraint flex_webhook_deliveries_hook references flex_webhooks,
  run_id          uuid        not null,
  seq             integer     not null,
  type            text        not null,
  status          text        not null default 'pending' check (status in ('pending', 'delivered', 'given_up')),
  attempts        integer     not null default 0,
  created_at      timestamptz not null default clock_timestamp(),
  attempted_at    timestamptz,
  response_status integer,
  error           text,
  finished_at     timestamptz,
  constraint flex_webhook_deliveries_pkey primary key (hook_id, run_id, seq)
) with (fillfactor = 80);

create index flex_webhook_deliveries_open on flex_webhook_deliveries (hook_id, status, run_id, seq)
  where status <> 'delivered';
create index flex_webhook_deliveries_finished on flex_webhook_deliveries (finished_at) where finished_at is not null;

-- The queue of one run at one webhook. Its row is what is claimed, so that no two of its deliveries are ever under way.
create table flex_webhook_lanes (
  hook_id  uuid        not null constraint flex_webhook_lanes_hook references flex_webhooks,
  run_id   uuid        not null,
  done_seq integer     not null,
  last_seq integer     not null,
  attempts integer     not null default 0,
  due_at   timestamptz not null,
  worker   text,
  constraint flex_webhook_lanes_pkey primary key (hook_id, run_id)
) with (fillfactor = 70);

comment on column flex_webhook_lanes.done_seq is 'its next delivery is the first one after this';
comment on column flex_webhook_lanes.last_seq is 'its last delivery so far';
comment on column flex_webhook_lanes.attempts is 'how often the next delivery was tried';
comment on column flex_webhook_lanes.due_at is 'when it may be claimed: while it is held, when its lease ends; infinity, when nothing waits';
comment on column flex_webhook_lanes.worker is 'who holds it';

create index flex_webhook_lanes_due on flex_webhook_lanes (hook_id, due_at);
