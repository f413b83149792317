-- work/parked_of_run: nodes of a run that wait under a name for a limit, an endpoint or a callback.
select w.ref, w.worker, w.lease_until, k.descriptor -> 'limits' as limits,
       (select count(*) from flex_capability_starts s
        join flex_work o on o.run_id = s.run_id and o.kind = 'node' and o.ref = s.node_id and o.attempt = s.attempt
          and o.started
        where s.capability_id = n.capability_id) as in_use
from flex_work w
join flex_plan_nodes n on n.run_id = w.run_id and n.node_id = w.ref
left join lateral (
  select c.descriptor from flex_capabilities c
  where c.capability_id = n.capability_id
  order by c.version is not distinct from n.capability_version desc, c.registered_at desc
  limit 1
) k on true
where w.run_id = %(run_id)s and w.kind = 'node'
  and (w.worker like 'limit/%%' or w.worker like 'endpoint/%%' or w.worker like 'callback/%%')
order by w.ref
limit %(limit)s
