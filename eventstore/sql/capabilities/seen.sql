-- capabilities/seen: a worker that serves these capabilities is alive.
insert into flex_capability_workers as known (worker, capability_id, version, slots)
select %(worker)s, s.capability_id, s.version, %(slots)s
from unnest(%(capability_ids)s::text[], %(versions)s::text[]) as s (capability_id, version)
order by s.capability_id, s.version
on conflict (worker, capability_id, version) do update
set slots = excluded.slots, last_seen_at = clock_timestamp()
