-- facets/add: register a version of a facet after those in `after`, and say so to whoever keeps a list of them.
-- No row where it is there, or where another version has been registered meanwhile.
with added as (
  insert into flex_facets (name, version, description, schema, many, source, tenant)
  select %(name)s, %(version)s, %(description)s, %(schema)s::text::jsonb, %(many)s, %(source)s, %(tenant)s
  where not exists (
    select from flex_facets f where f.name = %(name)s and f.version <> all (%(after)s::text[])
  )
  on conflict (name, version) do nothing
  returning name
)
select a.name, pg_notify('flexrun_registry', '-;facets') from added a
