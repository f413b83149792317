-- work/waiting_in_vain: the nodes that have waited longest in each queue, for a capability whose version is disabled, or of
-- which no version is registered.
select w.run_id, w.ref as node_id, n.capability_id, n.capability_version as version
from flex_free_queues() as q (queue)
cross join lateral (
  select f.run_id, f.ref, f.due_at
  from flex_work f
  where f.queue = q.queue and f.kind = 'node' and not f.started and f.worker is null
    and f.due_at <= now() - make_interval(secs => %(older_than_seconds)s)
  order by f.due_at
  limit %(limit)s
) w
join flex_plan_nodes n on n.run_id = w.run_id and n.node_id = w.ref
where case
  when n.capability_version is not null
    and exists (select from flex_capabilities c where c.capability_id = n.capability_id and c.version = n.capability_version)
  then exists (
    select from flex_capabilities c
    where c.capability_id = n.capability_id and c.version = n.capability_version and c.disabled)
  else not exists (select from flex_capabilities c where c.capability_id = n.capability_id)
end
order by w.due_at
limit %(limit)s
