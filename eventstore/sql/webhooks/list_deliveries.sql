-- webhooks/list_deliveries: of one webhook, newest runs first, from a cursor on; walks the primary key. Only the head of a lane has
-- a time for its next attempt.
select d.hook_id::text, d.run_id::text, d.seq, d.type, d.status, d.attempts, d.created_at, d.attempted_at,
       (select l.due_at from flex_webhook_lanes l
        where l.hook_id = d.hook_id and l.run_id = d.run_id and l.worker is null and d.status = 'pending'
          and d.seq = (select min(o.seq) from flex_webhook_deliveries o
                       where o.hook_id = l.hook_id and o.run_id = l.run_id and o.seq > l.done_seq)),
       d.response_status, d.error, d.finished_at
from flex_webhook_deliveries d
where d.hook_id = %(hook_id)s
  and (%(status)s::text is null or d.status = %(status)s)
  and (d.run_id, d.seq) < (%(run_before)s::uuid, %(seq_before)s)
order by d.run_id desc, d.seq desc
limit %(limit)s
