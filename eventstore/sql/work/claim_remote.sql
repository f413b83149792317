-- work/claim_remote: claim the oldest free and due nodes of these queues for remote workers; locked rows are skipped.
-- A queue has the version that is served beside it, or null for any. A node whose version is not registered any more
-- goes to any; one whose version is disabled waits.
with free as (
  select w.run_id, w.kind, w.ref, w.due_at
  from unnest(%(queues)s::text[], %(versions)s::text[]) as q (queue, version)
  cross join lateral (
    select f.run_id, f.kind, f.ref, f.due_at
    from flex_work f
    left join flex_plan_nodes n on n.run_id = f.run_id and n.node_id = f.ref
    left join flex_capabilities c on c.capability_id = n.capability_id and c.version = n.capability_version
    where f.queue = q.queue and not f.started and f.worker is null and f.due_at <= now()
      and not coalesce(c.disabled, false) and (q.version is null or c.version is null or c.version = q.version)
    order by f.due_at
    limit %(limit)s
    for update of f skip locked
  ) w
  order by w.due_at
  limit %(limit)s
)
update flex_work w
set worker = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
from free f
where w.run_id = f.run_id and w.kind = f.kind and w.ref = f.ref
returning w.*
