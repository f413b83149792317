-- Who did what: one row for each request that changes something, written before the change and completed after it.

create table flex_operations (
  operation_id  uuid        not null,
  at            timestamptz not null,
  actor         text        not null,
  claimed_actor text,
  token_id      uuid,
  action        text        not null,
  object_kind   text        not null,
  object_id     text,
  run_id        uuid,
  outcome       text        not null,
  status        integer,
  code          text,
  reason        text,
  correlation_id text,
  source        text,
  forwarded_for text,
  finished_at   timestamptz,
  constraint flex_operations_pkey primary key (operation_id),
  constraint flex_operations_outcome check (outcome in ('begun', 'done', 'refused', 'failed')),
  constraint flex_operations_finished check ((outcome = 'begun') = (finished_at is null))
) with (fillfactor = 85);

comment on table flex_operations is 'the operations log; its ids are UUIDv7, so their order is that of time';
comment on column flex_operations.claimed_actor is 'who the caller says to be, which no token shows';
comment on column flex_operations.outcome is 'begun: the answer is not known, the gateway ended or the caller left before it';
comment on column flex_operations.forwarded_for is 'what the caller says of the way of its request; not checked';

create index flex_operations_actor on flex_operations (actor, operation_id);
create index flex_operations_action on flex_operations (action, operation_id);
create index flex_operations_run on flex_operations (run_id, operation_id) where run_id is not null;
create index flex_operations_object on flex_operations (object_kind, object_id, operation_id)
  where object_kind <> 'run';

create function flex_refuse_operation_change() returns trigger language plpgsql as $$
begin
  raise exception 'operation %: % is refused, the operations log keeps what it has', old.operation_id, lower(tg_op)
    using errcode = 'FR004';
end
$$;

create trigger flex_operations_keep_ended before update on flex_operations
  for each row when (old.outcome <> 'begun' or new.at <> old.at or new.action <> old.action)
  execute function flex_refuse_operation_change();

-- Retention deletes what is old; nothing deletes what is of today.
create trigger flex_operations_keep_young before delete on flex_operations
  for each row when (old.at > clock_timestamp() - interval '23 hours')
  execute function flex_refuse_operation_change();
