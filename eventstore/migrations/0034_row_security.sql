-- The second wall between tenants. A connection says for which tenant it works (`flexrun.tenant`; `*`: for all), and the
-- role that serves sees and writes rows of that tenant alone; one that says nothing sees nothing. The setting is read once
-- for a statement. The owner of the tables is not held to it: it migrates, restores and dumps.

-- What belongs to a tenant by itself.
create policy flexrun_tenant on flex_runs
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_pruned_runs
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_operations
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_tokens
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_tenant on flex_webhooks
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));

-- What belongs to the default tenant is there for all, and written by nobody else.
create policy flexrun_tenant on flex_capabilities
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_shared on flex_capabilities for select
  using ((select current_setting('flexrun.tenant', true)) <> '' and tenant = 'default');
create policy flexrun_tenant on flex_facets
  using ((select current_setting('flexrun.tenant', true)) in ('*', tenant));
create policy flexrun_shared on flex_facets for select
  using ((select current_setting('flexrun.tenant', true)) <> '' and tenant = 'default');

-- What belongs to a run.
create policy flexrun_tenant on flex_events
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_events.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_values
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_values.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_run_keys
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_run_keys.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_imported_runs
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_imported_runs.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_plan_nodes
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_plan_nodes.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on hitl_requests
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = hitl_requests.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_work
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_work.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_links
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_links.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_partial_outputs
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_partial_outputs.run_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_capability_starts
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select r.tenant from flex_runs r where r.run_id = flex_capability_starts.run_id) = (select current_setting('flexrun.tenant', true)));

-- What belongs to a webhook.
create policy flexrun_tenant on flex_webhook_deliveries
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select h.tenant from flex_webhooks h where h.id = flex_webhook_deliveries.hook_id) = (select current_setting('flexrun.tenant', true)));
create policy flexrun_tenant on flex_webhook_lanes
  using ((select current_setting('flexrun.tenant', true)) = '*'
         or (select h.tenant from flex_webhooks h where h.id = flex_webhook_lanes.hook_id) = (select current_setting('flexrun.tenant', true)));

-- Who serves a capability is known to those who may use it.
create policy flexrun_tenant on flex_capability_workers
  using ((select current_setting('flexrun.tenant', true)) = '*');
create policy flexrun_shared on flex_capability_workers for select
  using ((select c.tenant from flex_capabilities c
          where c.capability_id = flex_capability_workers.capability_id and c.version = flex_capability_workers.version)
         in ('default', (select current_setting('flexrun.tenant', true))));

-- What belongs to the installation.
create policy flexrun_tenant on flex_messages
  using ((select current_setting('flexrun.tenant', true)) = '*');
create policy flexrun_tenant on flex_dead_letters
  using ((select current_setting('flexrun.tenant', true)) = '*');
create policy flexrun_tenant on flex_processes
  using ((select current_setting('flexrun.tenant', true)) = '*');
create policy flexrun_tenant on flex_secrets
  using ((select current_setting('flexrun.tenant', true)) = '*');
create policy flexrun_tenant on flex_migrations
  using ((select current_setting('flexrun.tenant', true)) = '*');

alter table flex_capabilities enable row level security;
alter table flex_capability_starts enable row level security;
alter table flex_capability_workers enable row level security;
alter table flex_dead_letters enable row level security;
alter table flex_events enable row level security;
alter table flex_facets enable row level security;
alter table flex_imported_runs enable row level security;
alter table flex_links enable row level security;
alter table flex_messages enable row level security;
alter table flex_migrations enable row level security;
alter table flex_operations enable row level security;
alter table flex_partial_outputs enable row level security;
alter table flex_plan_nodes enable row level security;
alter table flex_processes enable row level security;
alter table flex_pruned_runs enable row level security;
alter table flex_run_keys enable row level security;
alter table flex_runs enable row level security;
alter table flex_secrets enable row level security;
alter table flex_tokens enable row level security;
alter table flex_values enable row level security;
alter table flex_webhook_deliveries enable row level security;
alter table flex_webhook_lanes enable row level security;
alter table flex_webhooks enable row level security;
alter table flex_work enable row level security;
alter table hitl_requests enable row level security;

-- A view reads as its caller, and not as its owner.
alter view flex_event_rows set (security_invoker = true);
alter view flex_run_rows set (security_invoker = true);
alter view hitl_request_rows set (security_invoker = true);
alter view flex_task_rows set (security_invoker = true);
alter view flex_webhook_delivery_rows set (security_invoker = true);

-- An index of an expression is not used behind a policy, since the expression could tell of rows that it is asked about.
-- These two run as the owner (eventstore/sql/rights/grant.sql), and keep to the tenant by themselves.
create function flex_forks_of(of_run text, most integer) returns setof uuid language sql stable as $$
  select r.run_id from flex_runs r
  where r.origin ->> 'runId' = of_run and current_setting('flexrun.tenant', true) in ('*', r.tenant)
  order by r.created_at
  limit most
$$;

create function flex_failed_runs(
  of_code text, of_tenant text, since timestamptz, before timestamptz, run_before uuid, most integer)
returns setof uuid language sql stable as $$
  select r.run_id from flex_runs r
  where r.error ->> 'code' = of_code and (r.tenant = of_tenant) is true
    and current_setting('flexrun.tenant', true) in ('*', of_tenant)
    and r.created_at >= since and (r.created_at, r.run_id) < (before, run_before)
  order by r.created_at desc, r.run_id desc
  limit most
$$;
