-- retention/count: how many runs ended before a time, and how many events they have. The age of an imported run counts
-- from its import.
select count(*) as runs, coalesce(sum(r.head_seq), 0) as events, min(coalesce(r.completed_at, r.imported_at)) as oldest
from (
  select r.head_seq, r.completed_at, r.imported_at from flex_runs r
  where r.completed_at < %(ended_before)s::timestamptz
    and (r.imported_at is null or r.imported_at < %(ended_before)s::timestamptz)
  union all
  select r.head_seq, r.completed_at, r.imported_at from flex_runs r
  where r.completed_at is null and r.imported_at < %(ended_before)s::timestamptz
) r
