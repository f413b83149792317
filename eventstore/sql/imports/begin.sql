-- imports/begin: the row of an imported run, and when that was; no row where a run of this id is there. It is the first
-- write of an import, so that two of one run, or a run that starts under its id, wait for each other here.
insert into flex_runs
select (jsonb_populate_record(
  null::flex_runs, %(run)s::text::jsonb || jsonb_build_object('imported_at', clock_timestamp()))).*
on conflict do nothing
returning imported_at
