-- retention/candidates: finished runs that may be removed, those that ended first in front, after a cursor. A run stays
-- while a webhook has not been told of all of it. The age of an imported run counts from its import, and one that was
-- exported in progress counts as ended then; webhooks are not told of it.
select * from (
 (select r.run_id, r.head_seq as events, r.completed_at
  from flex_runs r
  where r.completed_at < %(ended_before)s::timestamptz
    and (r.imported_at is null or r.imported_at < %(ended_before)s::timestamptz)
    and (r.completed_at, r.run_id) > (%(after_time)s::timestamptz, %(after_run)s::uuid)
    and not exists (
      select from flex_webhooks h
      join flex_webhook_deliveries d on d.hook_id = h.id and d.run_id = r.run_id and d.status = 'pending'
      where h.disabled_at is null)
    and not exists (
      select from flex_webhooks h
      join flex_events e on e.run_id = r.run_id and e.seq = r.head_seq
        and (e.xid, e.position) > (h.fed_xid, h.fed_position)
      where h.disabled_at is null)
  order by r.completed_at, r.run_id
  limit %(limit)s)
  union all
 (select r.run_id, r.head_seq, r.imported_at
  from flex_runs r
  where r.completed_at is null and r.imported_at < %(ended_before)s::timestamptz
    and (r.imported_at, r.run_id) > (%(after_time)s::timestamptz, %(after_run)s::uuid)
  order by r.imported_at, r.run_id
  limit %(limit)s)
) r
order by r.completed_at, r.run_id
limit %(limit)s
