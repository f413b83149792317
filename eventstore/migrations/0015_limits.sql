-- Limits over all processes: who may start an attempt now, and work that waits until it may.
-- Work that waits is claimed by a name that no process has: limit/<capability id> or endpoint/<capability id>. The claim
-- is ended by flex_unpark, or by the keeper when its time is up.

alter table flex_capability_starts add column holder text not null default '';

comment on column flex_capability_starts.holder is 'the process that was last admitted to start the attempt';

-- One at a time for each capability. A start counts while its attempt is in flight, and while it is being made.
create function flex_admit(
  of_capability text, of_run uuid, of_node text, of_attempt integer, of_holder text,
  most_at_once integer, most_per_minute integer, claim_seconds double precision, park_seconds double precision,
  out admitted boolean, out in_use integer, out started_lately integer, out wait_seconds double precision)
language plpgsql as $$
declare
  parked integer;
  oldest timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('flexrun starts ' || of_capability, 0));
  delete from flex_capability_starts s
  where s.capability_id = of_capability
    and (most_per_minute is null or s.started_at < clock_timestamp() - interval '60 s')
    and not exists (
      select from flex_work w
      where w.run_id = s.run_id and w.kind = 'node' and w.ref = s.node_id and w.attempt = s.attempt
        and (w.started or s.started_at > clock_timestamp() - make_interval(secs => claim_seconds)));
  select count(*) filter (where exists (
           select from flex_work w
           where w.run_id = s.run_id and w.kind = 'node' and w.ref = s.node_id and w.attempt = s.attempt
             and (w.started or s.started_at > clock_timestamp() - make_interval(secs => claim_seconds)))),
         count(*) filter (where s.started_at > clock_timestamp() - interval '60 s'),
         min(s.started_at) filter (where s.started_at > clock_timestamp() - interval '60 s')
  into in_use, started_lately, oldest
  from flex_capability_starts s
  where s.capability_id = of_capability
    and (s.run_id, s.node_id, s.attempt) is distinct from (of_run, of_node, of_attempt);
  wait_seconds := 0;
  if in_use >= most_at_once then
    wait_seconds := park_seconds * (0.75 + random() * 0.5);
  elsif started_lately >= most_per_minute then
    select count(*) into parked from flex_work w where w.worker = 'limit/' || of_capability;
    wait_seconds := extract(epoch from oldest + interval '60 s' - clock_timestamp())
      + least(60, 60.0 * parked / most_per_minute);
  end if;
  admitted := wait_seconds <= 0;
  if admitted then
    insert into flex_capability_starts as s (capability_id, run_id, node_id, attempt, holder)
    values (of_capability, of_run, of_node, of_attempt, of_holder)
    on conflict (capability_id, run_id, node_id, attempt) do update
    set holder = excluded.holder, started_at = clock_timestamp();
  else
    delete from flex_capability_starts s
    where s.capability_id = of_capability and s.run_id = of_run and s.node_id = of_node and s.attempt = of_attempt;
    update flex_work w
    set worker = 'limit/' || of_capability,
        lease_until = clock_timestamp() + make_interval(secs => wait_seconds)
    where w.run_id = of_run and w.kind = 'node' and w.ref = of_node and w.attempt = of_attempt and not w.started;
  end if;
end
$$;

-- Free work that waits under a name, the oldest first, and wake those who serve its queue. The lock is that of
-- flex_admit: what it parks at this moment is found, or it sees what has ended.
create function flex_unpark(of_capability text, waits_as text, most integer) returns setof flex_work
language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('flexrun starts ' || of_capability, 0));
  return query
  update flex_work w
  set worker = null, lease_until = null
  from (
    select f.run_id, f.kind, f.ref from flex_work f
    where f.worker = waits_as and not f.started
    order by f.due_at
    limit most
    for update skip locked
  ) oldest
  where w.run_id = oldest.run_id and w.kind = oldest.kind and w.ref = oldest.ref
  returning w.*;
end
$$;
