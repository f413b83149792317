-- The log. Every fact about every run, numbered 1, 2, 3 … within its run, never changed and never deleted.
-- What may not happen to it is refused here, whoever asks; the SQLSTATEs are mapped in eventstore/errors.py:
--   FR001 something after complete · FR002 a gap · FR003 a run that does not begin with start · FR004 a change

create table flex_events (
  run_id         uuid        not null,
  seq            integer     not null check (seq >= 1),
  type           text        not null,
  node_id        text,
  payload        jsonb       not null,
  detail         jsonb,
  message        text,
  plan_version   integer,
  correlation_id text,
  recorded_at    timestamptz not null,
  xid            xid8        not null default pg_current_xact_id(),
  position       bigint      generated always as identity,
  constraint flex_events_pkey primary key (run_id, seq)
);

comment on column flex_events.payload is 'what the wire shows';
comment on column flex_events.detail is 'what folding needs and the wire does not show';
comment on column flex_events.xid is 'the commit; position alone is not commit order, (xid, position) below the snapshot is';

create index flex_events_xid_position on flex_events (xid, position);
create unique index flex_events_one_complete on flex_events (run_id) where type = 'complete';

create function flex_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the log only grows: % on flex_events is refused', lower(tg_op) using errcode = 'FR004';
end
$$;

create trigger flex_events_refuse_change before update or delete or truncate on flex_events
  for each statement execute function flex_refuse_change();

-- One probe for each new event: the one before it is there and is not complete. By induction that is
-- "no gap, and nothing after complete"; the rest only finds the words for a refusal.
-- A join and not `not exists`: inside a case that is a subplan, which the planner may hash from the whole table.
create function flex_check_order() returns trigger language plpgsql as $$
declare
  wrong record;
begin
  select n.run_id, n.seq, n.type into wrong
  from new_events n
  left join flex_events before on before.run_id = n.run_id and before.seq = n.seq - 1
  where case
    when n.seq = 1 or n.type = 'start' then n.seq <> 1 or n.type <> 'start'
    else before.run_id is null or before.type = 'complete'
  end
  order by n.run_id, n.seq
  limit 1;
  if not found then
    return null;
  end if;
  if wrong.seq = 1 or wrong.type = 'start' then
    raise exception 'run %: event 1 is start and only event 1; event % is %', wrong.run_id, wrong.seq, wrong.type
      using errcode = 'FR003';
  end if;
  if exists (select from flex_events e
             where e.run_id = wrong.run_id and e.type = 'complete' and e.seq < wrong.seq) then
    raise exception 'run % is complete: event % (%) cannot follow', wrong.run_id, wrong.seq, wrong.type
      using errcode = 'FR001';
  end if;
  raise exception 'run %: there is no event % before event %', wrong.run_id, wrong.seq - 1, wrong.seq
    using errcode = 'FR002';
end
$$;

create trigger flex_events_check_order after insert on flex_events
  referencing new table as new_events
  for each statement execute function flex_check_order();
