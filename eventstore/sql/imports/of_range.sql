-- imports/of_range: which runs of a range were imported, and when.
select i.run_id, i.imported_at
from flex_imported_runs i
where i.run_id > %(after)s::uuid and i.run_id <= %(until)s::uuid
