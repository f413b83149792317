-- rights/grant: what the roles of flexrun.app_role and flexrun.read_role may do with flexrun's tables and functions.
do $$
declare
  app constant text := current_setting('flexrun.app_role');
  reader constant text := current_setting('flexrun.read_role');
  only_grows constant text[] := array['flex_events', 'flex_values', 'flex_imported_runs'];
  never_removed constant text[] := array['flex_operations']; -- its trigger lets what was begun be finished
  only_read constant text[] := array['flex_migrations', 'flex_pruned_runs'];
  secret constant text[] := array['flex_secrets', 'flex_tokens', 'flex_webhooks', 'flex_run_keys'];
  as_owner constant text[] := array[
    'flex_count_unfinished', 'flex_count_open_requests', 'flex_prune', 'flex_drop_operations', 'flex_forks_of', 'flex_failed_runs'];
  each record;
begin
  execute format('grant connect, temporary on database %I to %I, %I', current_database(), app, reader);
  execute format('grant usage on schema %I to %I, %I', current_schema(), app, reader);
  for each in
    select c.relname as name, c.relkind as kind
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
      and (c.relname like 'flex\_%' or c.relname like 'hitl\_%')
  loop
    if each.kind = 'S' then
      execute format('grant usage, select on sequence %I to %I', each.name, app);
      continue;
    end if;
    -- From nothing, so that a right which a later release takes away does not stay.
    execute format('revoke all on %I from %I, %I', each.name, app, reader);
    execute format('grant select%s on %I to %I', case
      when each.kind = 'v' or each.name = any (only_read) then ''
      when each.name = any (only_grows) then ', insert'
      when each.name = any (never_removed) then ', insert, update'
      else ', insert, update, delete'
    end, each.name, app);
    if each.name <> all (secret) then
      execute format('grant select on %I to %I', each.name, reader);
    end if;
    if each.kind = 'r' then  -- the role that reads works for the whole installation
      execute format('drop policy if exists %I on %I', reader || ' reads', each.name);
      execute format('create policy %I on %I for select to %I using (true)', reader || ' reads', each.name, reader);
    end if;
  end loop;
  for each in
    select p.oid::regprocedure as signature, p.proname as name
    from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and p.proname like 'flex\_%'
  loop
    execute format('revoke all on function %s from public, %I, %I', each.signature, app, reader);
    execute format('grant execute on function %s to %I', each.signature, app);
    if each.name = any (as_owner) then
      execute format('alter function %s security definer set search_path from current', each.signature);
    end if;
  end loop;
end
$$
