-- facets/offer: the same for one that loaded code describes: the last description wins, but only over another such one.
with offered as (
  insert into flex_facets (name, version, description, schema, many, source)
  values (%(name)s, %(version)s, %(description)s, %(schema)s::text::jsonb, false, 'code')
  on conflict (name, version) do update
    set description = excluded.description, schema = excluded.schema, registered_at = clock_timestamp()
    where flex_facets.source = 'code'
      and (flex_facets.schema, flex_facets.description) is distinct from (excluded.schema, excluded.description)
  returning name
)
select o.name, pg_notify('flexrun_registry', '-;facets') from offered o
