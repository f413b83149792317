-- capabilities/list: all versions of all capabilities, or of one; or those that were registered or heard of lately.
select c.capability_id, c.version, c.descriptor, c.worker, c.source, c.disabled, c.failures, c.open_until,
       c.registered_at, greatest(c.last_seen_at, w.heard_at) as last_seen_at, c.last_taken_at, w.heard_at,
       now() as asked_at, c.tenant
from flex_capabilities c
left join lateral (
  select max(s.last_seen_at) as heard_at from flex_capability_workers s
  where s.capability_id = c.capability_id and s.version = c.version
) w on true
where (%(capability_id)s::text is null or c.capability_id = %(capability_id)s::text)
  and (%(tenant)s::text in ('*', c.tenant) or c.tenant = 'default')
  and (%(seen_within_seconds)s::float8 is null
       or greatest(c.last_seen_at, w.heard_at) > now() - make_interval(secs => %(seen_within_seconds)s::float8))
order by c.capability_id, c.version
