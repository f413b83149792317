-- limits/list: the limits that are set, by tenant, caller and name, from a cursor on; of one tenant where that is given.
select l.tenant, l.actor, l.name, l.most, l.set_at, l.set_by
from flex_limits l
where (l.tenant, l.actor, l.name) > (%(after_tenant)s, %(after_actor)s, %(after_name)s)
  and (%(tenant)s::text is null or l.tenant = %(tenant)s::text)
order by l.tenant, l.actor, l.name
limit %(limit)s
