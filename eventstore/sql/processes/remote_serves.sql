-- processes/remote_serves: a worker claims work of these queues at a gateway.
insert into flex_processes as known (worker, role, queues, slots)
values (%(worker)s, 'worker', %(queues)s, %(slots)s)
on conflict (worker, role) do update
set queues = excluded.queues, slots = excluded.slots, heard_at = clock_timestamp()
