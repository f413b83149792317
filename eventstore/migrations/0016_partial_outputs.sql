-- What attempts have made so far, for readers that ask for it. No part of the log: it may be lost with a crash, and is
-- dropped when the attempt has ended.

create unlogged table flex_partial_outputs (
  run_id     uuid        not null,
  node_id    text        not null,
  attempt    integer     not null,
  text       text        not null,
  patches    jsonb       not null,
  updated_at timestamptz not null default clock_timestamp(),
  constraint flex_partial_outputs_pkey primary key (run_id, node_id)
);

comment on column flex_partial_outputs.patches is 'JSON Patch operations (RFC 6902), in their order';
