-- tidying/drop_rates: forget some of the rates of which all can be taken again, and of the starts that never came; how many.
with full_again as (
  select r.tenant, r.actor, r.name
  from flex_rates r
  where r.full_at < clock_timestamp() - make_interval(secs => %(quiet_seconds)s)
  order by r.full_at
  limit %(limit)s
  for update skip locked
), dropped as (
  delete from flex_rates r using full_again f
  where r.tenant = f.tenant and r.actor = f.actor and r.name = f.name
  returning 1
), left_over as (
  select c.run_id
  from flex_start_claims c
  where c.claimed_at < clock_timestamp() - make_interval(secs => %(quiet_seconds)s)
  order by c.claimed_at
  limit %(limit)s
  for update skip locked
), ended as (
  delete from flex_start_claims c using left_over l where c.run_id = l.run_id returning 1
)
select greatest((select count(*) from dropped), (select count(*) from ended))
