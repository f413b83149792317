-- webhooks/feed: read on in the whole log for each webhook, in the order and below the watermark of
-- log/read_whole.sql, and write a delivery for each event of its tenant that it asked for; its cursor moves in the same commit. A
-- webhook that another process is just feeding is skipped; the cursor is that of the locked row, which may be newer
-- than this snapshot. Answers: webhooks there are, deliveries written, whether more can be read now, whether the
-- watermark hides events.
with hook as materialized (
  select h.id, h.tenant, h.event_types, h.created_in, h.fed_xid, h.fed_position
  from flex_webhooks h
  where h.disabled_at is null
    and exists (
      select from flex_events e
      where (e.xid, e.position) > (h.fed_xid, h.fed_position)
        and e.xid < pg_snapshot_xmin(pg_current_snapshot()))
  for no key update of h skip locked
), scanned as materialized (
  select hook.id, e.run_id, e.seq, e.type, e.xid, e.position,
         e.type = any (hook.event_types) and not pg_visible_in_snapshot(e.xid, hook.created_in)
           and not exists (select from flex_imported_runs i where i.run_id = e.run_id)
           and exists (select from flex_runs r where r.run_id = e.run_id and r.tenant = hook.tenant) as wanted,
         row_number() over (partition by hook.id order by e.xid desc, e.position desc) as from_end
  from hook
  cross join lateral (
    select e.run_id, e.seq, e.type, e.xid, e.position
    from flex_events e
    where (e.xid, e.position) > (hook.fed_xid, hook.fed_position)
      and e.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by e.xid, e.position
    limit %(limit)s
  ) as e
), moved as (
  update flex_webhooks h
  set fed_xid = s.xid, fed_position = s.position
  from scanned s
  where h.id = s.id and s.from_end = 1
), written as (
  insert into flex_webhook_deliveries (hook_id, run_id, seq, type)
  select s.id, s.run_id, s.seq, s.type from scanned s where s.wanted
  on conflict do nothing
  returning hook_id, run_id, seq
), queued as (
  insert into flex_webhook_lanes as l (hook_id, run_id, done_seq, last_seq, due_at)
  select w.hook_id, w.run_id, min(w.seq) - 1, max(w.seq), clock_timestamp()
  from written w
  group by w.hook_id, w.run_id
  order by w.hook_id, w.run_id
  on conflict (hook_id, run_id) do update
  set last_seq = excluded.last_seq,
      due_at = case when l.due_at = 'infinity' then excluded.due_at else l.due_at end
)
select (select count(*) from flex_webhooks h where h.disabled_at is null) as webhooks,
       (select count(*) from written) as written,
       exists (select from scanned s group by s.id having count(*) >= %(limit)s) as more,
       exists (select from flex_events e where e.xid >= pg_snapshot_xmin(pg_current_snapshot())) as held_back
