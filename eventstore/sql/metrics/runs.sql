-- metrics/runs: the runs of these statuses, each counted up to a limit along the index of the status. Imported ones do
-- not count: nothing is done for them.
select s.status, (select count(*) from (
                    select from flex_runs r
                    where r.status = s.status and r.imported_at is null limit %(limit)s) counted)
from unnest(%(statuses)s::text[]) as s (status)
