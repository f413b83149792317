-- limits/unset: have limits of a tenant or caller decided by the settings again; the names of those that were set.
with gone as (
  delete from flex_limits l
  where l.tenant = %(tenant)s and l.actor = %(actor)s and l.name = any (%(names)s::text[])
  returning l.name
)
select g.name, pg_notify('flexrun_registry', '-;limits') from gone g
