-- facets/list: every version of every registered facet.
select f.name, f.version, f.description, f.schema, f.many, f.source, f.registered_at
from flex_facets f
order by f.name, f.version
