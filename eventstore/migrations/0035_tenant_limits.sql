-- How much a tenant and its callers may take. What is stored is counted by the database, for all gateways at once.

create table flex_limits (
  tenant text        not null,
  actor  text        not null default '',
  name   text        not null,
  most   bigint,
  set_at timestamptz not null default clock_timestamp(),
  set_by text        not null,
  constraint flex_limits_pkey primary key (tenant, actor, name),
  constraint flex_limits_most check (most >= 0)
);

comment on column flex_limits.actor is 'empty: the tenant as a whole; *: each of its callers; else the caller of this name';
comment on column flex_limits.most is 'null: no limit, whatever the settings of gateways say';

create table flex_rates (
  tenant  text        not null,
  actor   text        not null,
  name    text        not null,
  full_at timestamptz not null,
  constraint flex_rates_pkey primary key (tenant, actor, name)
);

comment on table flex_rates is 'limits of so much in a time (GCRA): one row whatever was taken';
comment on column flex_rates.full_at is 'when all of it can be taken again';

create index flex_rates_full on flex_rates (full_at);

create table flex_start_claims (
  run_id     uuid        not null,
  tenant     text        not null,
  submitter  text        not null,
  claimed_at timestamptz not null default clock_timestamp(),
  constraint flex_start_claims_pkey primary key (run_id)
);

comment on table flex_start_claims is 'starts that were let through and are not in the log yet';

create index flex_start_claims_tenant on flex_start_claims (tenant);
create index flex_start_claims_time on flex_start_claims (claimed_at);

create index flex_runs_unfinished on flex_runs (tenant, coalesce(submitted_by, ''), run_id)
  where completed_at is null and imported_at is null;

create policy flexrun_tenant on flex_limits
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_rates
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_start_claims
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));

alter table flex_limits enable row level security;
alter table flex_rates enable row level security;
alter table flex_start_claims enable row level security;

-- How many runs of a tenant, or of one submitter in it, are not over; counted up to a limit along an index. It is run as
-- its owner: behind a policy another index would be walked.
create function flex_count_unfinished(of_tenant text, of_submitter text, up_to bigint) returns bigint
language plpgsql stable as $$
begin
  if of_submitter is null then
    return (select count(*) from (
      select from flex_runs r
      where r.tenant = of_tenant and r.completed_at is null and r.imported_at is null
      order by coalesce(r.submitted_by, ''), r.run_id
      limit up_to) counted);
  end if;
  return (select count(*) from (
    select from flex_runs r
    where r.tenant = of_tenant and coalesce(r.submitted_by, '') = of_submitter
      and r.completed_at is null and r.imported_at is null
    order by r.run_id
    limit up_to) counted);
end
$$;

-- How many requests to people are open in such runs.
create function flex_count_open_requests(of_tenant text, of_submitter text, up_to bigint) returns bigint
language plpgsql stable as $$
begin
  return (select count(*) from (
    select from flex_runs r
    cross join lateral (
      select q.id from hitl_requests q where q.run_id = r.run_id and q.status = 'open' order by q.created_at, q.id
    ) open
    where r.tenant = of_tenant and (of_submitter is null or coalesce(r.submitted_by, '') = of_submitter)
      and r.completed_at is null and r.imported_at is null
    limit up_to) counted);
end
$$;

-- Whether a run may start within the limits of its tenant (level tenant) and of who starts it (level actor). One at a time
-- for each tenant. Where one limit refuses it, nothing is taken of any. No rows: the run is there already, and a repeat
-- costs nothing. A rate is GCRA: full_at moves on by what is taken, and may be as far ahead as the whole time of the rate.
-- One that is further ahead is set back: a clock that was wrong must not keep anybody out.
create function flex_admit_start(
  of_tenant text, of_actor text, of_submitter text, of_run uuid, size_bytes bigint,
  levels text[], names text[], mosts bigint[], seconds double precision[], claim_seconds double precision)
returns table (on_level text, on_name text, refused boolean, remaining bigint, wait_seconds double precision)
language plpgsql as $$
declare
  started timestamptz;
  each record;
  ahead double precision;
  cost double precision;
  taken bigint;
  any_refused boolean := false;
  moved text[] := '{}';
  moved_actors text[] := '{}';
  moved_to timestamptz[] := '{}';
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_advisory_xact_lock(hashtextextended('flexrun limits ' || of_tenant, 0));
  if exists (select from flex_runs r where r.run_id = of_run) then
    return;
  end if;
  started := clock_timestamp();
  delete from flex_start_claims c
  where c.tenant = of_tenant
    and (c.run_id = of_run or c.claimed_at < started - make_interval(secs => claim_seconds) or c.claimed_at > started
         or exists (select from flex_runs r where r.run_id = c.run_id));
  for each in
    select l.level, l.name, l.most, l.within,
           case l.level when 'actor' then of_actor else '' end as actor,
           case l.level when 'actor' then of_submitter end as submitter
    from unnest(levels, names, mosts, seconds) as l (level, name, most, within)
  loop
    on_level := each.level;
    on_name := each.name;
    if each.within is not null then
      cost := case each.name when 'bytesPerDay' then size_bytes else 1 end * each.within / greatest(each.most, 1);
      select extract(epoch from r.full_at - started) into ahead
      from flex_rates r where r.tenant = of_tenant and r.actor = each.actor and r.name = each.name;
      if ahead > each.within then
        update flex_rates r set full_at = started + make_interval(secs => each.within)
        where r.tenant = of_tenant and r.actor = each.actor and r.name = each.name;
      end if;
      ahead := least(greatest(coalesce(ahead, 0), 0), each.within);
      refused := each.most = 0 or ahead + cost > each.within + 0.000001;
      wait_seconds := case when refused then least(ahead + cost - each.within, each.within) else 0 end;
      if not refused then
        ahead := ahead + cost;
        moved := moved || each.name;
        moved_actors := moved_actors || each.actor;
        moved_to := moved_to || (started + make_interval(secs => ahead));
      end if;
      remaining := floor((each.within - ahead) / each.within * each.most + 0.000001);
    else
      if each.name = 'openRequests' then
        taken := flex_count_open_requests(of_tenant, each.submitter, each.most);
      else
        select count(*) into taken from flex_start_claims c
        where c.tenant = of_tenant and (each.submitter is null or c.submitter = each.submitter);
        taken := taken + flex_count_unfinished(of_tenant, each.submitter, each.most);
      end if;
      refused := taken >= each.most;
      remaining := greatest(each.most - taken, 0);
      wait_seconds := 0;
    end if;
    any_refused := any_refused or refused;
    return next;
  end loop;
  if any_refused then
    return;
  end if;
  insert into flex_rates as r (tenant, actor, name, full_at)
  select of_tenant, m.actor, m.name, m.full_at from unnest(moved, moved_actors, moved_to) as m (name, actor, full_at)
  on conflict (tenant, actor, name) do update set full_at = excluded.full_at;
  if 'unfinishedRuns' = any (names) then
    insert into flex_start_claims (run_id, tenant, submitter) values (of_run, of_tenant, of_submitter)
    on conflict do nothing;
  end if;
end
$$;
