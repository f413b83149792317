-- capabilities/register: insert or refresh capabilities, in the order of their ids so that two workers cannot deadlock.
insert into flex_capabilities as known (capability_id, descriptor, worker)
select c.capability_id, c.descriptor, %(worker)s
from jsonb_to_recordset(%(rows)s::text::jsonb) as c (capability_id text, descriptor jsonb)
order by c.capability_id
on conflict (capability_id) do update
set descriptor = excluded.descriptor, worker = excluded.worker, last_seen_at = clock_timestamp()
