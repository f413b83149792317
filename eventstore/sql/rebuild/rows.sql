-- rebuild/rows: whole rows of some runs into empty tables.
with started as (
  insert into flex_runs
  select * from jsonb_populate_recordset(null::flex_runs, %(batch)s::text::jsonb -> 'starts')
)
select flex_write_rows(%(batch)s::text::jsonb, %(run_ids)s::uuid[])
