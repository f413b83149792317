-- capabilities/register: insert or refresh, in the order of the ids so that two workers cannot wait for each other.
insert into flex_capabilities as known (capability_id, descriptor, worker)
select c.capability_id, c.descriptor, %(worker)s
from jsonb_to_recordset(%(rows)s::text::jsonb) as c (capability_id text, descriptor jsonb)
order by c.capability_id
on conflict (capability_id) do update
set descriptor = excluded.descriptor, worker = excluded.worker, last_seen_at = clock_timestamp()
