-- partial/drop_ended: drop what belongs to attempts that have ended.
delete from flex_partial_outputs p
where p.updated_at < now() - make_interval(secs => %(quiet_seconds)s)
  and not exists (
    select from flex_work w
    where w.run_id = p.run_id and w.kind = 'node' and w.ref = p.node_id and w.attempt = p.attempt and w.started)
