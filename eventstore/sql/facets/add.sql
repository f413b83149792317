-- facets/add: register a version of a facet, and say so to whoever keeps a list of them; no row where it is there.
with added as (
  insert into flex_facets (name, version, description, schema, many, source)
  values (%(name)s, %(version)s, %(description)s, %(schema)s::text::jsonb, %(many)s, %(source)s)
  on conflict (name, version) do nothing
  returning name
)
select a.name, pg_notify('flexrun_registry', '-;facets') from added a
