-- The hash chain: `hash` of an event is SHA-256 over the event and the hash of the event before it (docs/proof.md). Events of
-- earlier versions have none. `flex_append` takes events in the section `chained`, each with its hash; in `events` it takes those of earlier versions, which run beside this one while an installation is upgraded. After an
-- event that has a hash, one that has none is refused (FR005).

alter table flex_events add column hash bytea;

comment on column flex_events.hash is 'SHA-256 over the event and the hash of the one before it; null: of an earlier version';

create or replace view flex_event_rows as
select e.run_id, e.seq, e.type, e.payload, e.recorded_at, e.correlation_id, e.node_id, e.plan_version, e.message, e.detail,
       encode(e.hash, 'hex') as hash
from flex_events e;

create or replace function flex_check_order() returns trigger language plpgsql as $$
declare
  wrong record;
begin
  select n.run_id, n.seq, n.type into wrong
  from new_events n
  left join flex_events before on before.run_id = n.run_id and before.seq = n.seq - 1
  where case
    when n.seq = 1 or n.type = 'start' then n.seq <> 1 or n.type <> 'start'
    else before.run_id is null or before.type = 'complete' or (before.hash is not null and n.hash is null)
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
  if exists (select from flex_events e
             where e.run_id = wrong.run_id and e.seq = wrong.seq - 1 and e.hash is not null) then
    raise exception 'run %: event % has no hash and event % has one; a version of flexrun that hashes events has taken'
      ' this run over, so update this process', wrong.run_id, wrong.seq, wrong.seq - 1
      using errcode = 'FR005';
  end if;
  raise exception 'run %: there is no event % before event %', wrong.run_id, wrong.seq - 1, wrong.seq
    using errcode = 'FR002';
end
$$;

create or replace function flex_append(batch jsonb) returns table (conflicting_run uuid, actual_seq integer)
language plpgsql as $$
declare
  taken uuid[];
  begun uuid[];
  asked integer := coalesce(jsonb_array_length(batch -> 'advances'), 0)
                 + coalesce(jsonb_array_length(batch -> 'starts'), 0);
begin
  if jsonb_array_length(batch -> 'advances') > 1 then
    perform from jsonb_to_recordset(batch -> 'advances') as a (run_id uuid)
      join flex_runs r on r.run_id = a.run_id
      order by r.run_id
      for no key update of r;
  end if;
  if batch ? 'advances' then
    with advanced as (
      update flex_runs r
      set head_seq = a.head_seq, status = a.status, plan_version = a.plan_version, updated_at = a.updated_at,
          output = a.output, error = a.error, completed_at = a.completed_at,
          deadline_at = coalesce(a.deadline_at, r.deadline_at), usage = coalesce(a.usage, r.usage)
      from jsonb_to_recordset(batch -> 'advances') as a (
        run_id uuid, expected integer, head_seq integer, status text, plan_version integer, updated_at timestamptz,
        output jsonb, error jsonb, completed_at timestamptz, deadline_at timestamptz, usage jsonb)
      where r.run_id = a.run_id and r.head_seq = a.expected
      returning r.run_id)
    select array_agg(run_id) into taken from advanced;
  end if;
  if batch ? 'starts' then
    with started as (
      insert into flex_runs
      select * from jsonb_populate_recordset(null::flex_runs, batch -> 'starts') s order by s.run_id
      on conflict do nothing
      returning run_id)
    select array_agg(run_id) into begun from started;
    taken := taken || begun;
  end if;
  if taken is not null then
    if batch ? 'chained' then
      insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                               recorded_at, hash)
      select e."runId", e.seq, e.type, e."nodeId", e.payload, e.detail, e.message, e."planVersion", e."correlationId",
             e.at, decode(e.hash, 'hex')
      from jsonb_to_recordset(batch -> 'chained') as e (
        "runId" uuid, seq integer, type text, "nodeId" text, payload jsonb, detail jsonb, message text,
        "planVersion" integer, "correlationId" text, at timestamptz, hash text)
      where e."runId" = any (taken);
    end if;
    if batch ? 'events' then
      insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                               recorded_at)
      select e.run_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
             e.recorded_at
      from jsonb_to_recordset(batch -> 'events') as e (
        run_id uuid, seq integer, type text, node_id text, payload jsonb, detail jsonb, message text,
        plan_version integer, correlation_id text, recorded_at timestamptz)
      where e.run_id = any (taken);
    end if;
    perform flex_write_rows(batch, taken);
  end if;
  if coalesce(cardinality(taken), 0) < asked then
    return query
      select c.run_id, coalesce(r.head_seq, 0)
      from jsonb_to_recordset(
        coalesce(batch -> 'advances', '[]') || coalesce(batch -> 'starts', '[]')) as c (run_id uuid)
      left join flex_runs r on r.run_id = c.run_id
      where c.run_id <> all (coalesce(taken, '{}'));
  end if;
end
$$;
