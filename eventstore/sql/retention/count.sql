-- retention/count: how many runs ended before a time, and how many events they have.
select count(*) as runs, coalesce(sum(r.head_seq), 0) as events, min(r.completed_at) as oldest
from flex_runs r
where r.completed_at < %(ended_before)s::timestamptz
