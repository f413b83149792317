-- webhooks/record_attempt: store the result of an attempt, if its worker still has the lane. A failure is tried again
-- after `retry_seconds`, unless that is null or later than `give_up_seconds` after the delivery was queued.
with judged as (
  select d.hook_id, d.run_id, d.seq,
         case
           when %(delivered)s then 'delivered'
           when clock_timestamp() + make_interval(secs => %(retry_seconds)s::float8)
                < d.created_at + make_interval(secs => %(give_up_seconds)s) then 'pending'
           else 'given_up'
         end as status
  from flex_webhook_deliveries d
  where d.hook_id = %(hook_id)s and d.run_id = %(run_id)s and d.seq = %(seq)s and d.status = 'pending'
), lane as (
  update flex_webhook_lanes l
  set worker = null,
      attempts = case when j.status = 'pending' then l.attempts else 0 end,
      done_seq = case when j.status = 'pending' then l.done_seq else j.seq end,
      due_at = case
        when j.status = 'pending' then clock_timestamp() + make_interval(secs => %(retry_seconds)s::float8)
        when l.last_seq > j.seq then clock_timestamp()
        else 'infinity'
      end
  from judged j
  where l.hook_id = j.hook_id and l.run_id = j.run_id and l.worker = %(worker)s and l.attempts = %(attempt)s
  returning l.hook_id, l.run_id, j.seq, j.status
)
update flex_webhook_deliveries d
set status = lane.status, attempts = %(attempt)s, attempted_at = clock_timestamp(),
    response_status = %(response_status)s, error = %(error)s,
    finished_at = case when lane.status <> 'pending' then clock_timestamp() end
from lane
where d.hook_id = lane.hook_id and d.run_id = lane.run_id and d.seq = lane.seq
returning d.status
