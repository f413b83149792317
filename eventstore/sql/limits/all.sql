-- limits/all: every limit that is set, for the copy that gateways have.
select l.tenant, l.actor, l.name, l.most, l.set_at, l.set_by
from flex_limits l
order by l.tenant, l.actor, l.name
limit %(limit)s
