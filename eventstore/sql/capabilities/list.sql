-- capabilities/list: all capabilities, or those that were registered lately.
select descriptor, worker, registered_at, last_seen_at
from flex_capabilities
where %(seen_within_seconds)s::float8 is null
   or last_seen_at > now() - make_interval(secs => %(seen_within_seconds)s::float8)
order by capability_id
