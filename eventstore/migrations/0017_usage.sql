-- What the attempts of a run have used together. `flex_append` takes `usage` in `advances`, where it has changed.
-- Runs that ended before have none until `flexrun db rebuild`, which takes it from the log.

alter table flex_runs add column usage jsonb;

comment on column flex_runs.usage is 'sums of what attempts reported; null where none did';

create or replace view flex_run_rows as
select r.run_id, r.status, r.head_seq, r.objective, r.thread_id, r.schema_hash, r.error, r.plan_version, r.client_id,
       r.run_label, r.submitted_by, r.correlation_id, r.created_at, r.updated_at, r.completed_at, r.deadline_at, r.usage
from flex_runs r;

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
    insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version, correlation_id,
                             recorded_at)
    select e.run_id, e.seq, e.type, e.node_id, e.payload, e.detail, e.message, e.plan_version, e.correlation_id,
           e.recorded_at
    from jsonb_to_recordset(batch -> 'events') as e (
      run_id uuid, seq integer, type text, node_id text, payload jsonb, detail jsonb, message text,
      plan_version integer, correlation_id text, recorded_at timestamptz)
    where e.run_id = any (taken);
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
