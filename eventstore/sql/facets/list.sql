-- facets/list: every version of every registered facet.
select f.name, f.version, f.description, f.schema, f.many, f.source, f.registered_at, f.tenant
from flex_facets f
where %(tenant)s::text in ('*', f.tenant) or f.tenant = 'default'
order by f.name, f.version
