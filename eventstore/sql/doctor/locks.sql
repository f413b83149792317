-- doctor/locks: transactions of this database that have been open for long, and sessions that wait for a lock of others.
select a.pid, a.application_name, a.state,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as open_seconds,
       cardinality(pg_blocking_pids(a.pid)) > 0 as is_blocked,
       (pg_blocking_pids(a.pid))[1] as blocked_by
from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
  and a.xact_start is not null
  and (a.xact_start < clock_timestamp() - make_interval(secs => %(long_seconds)s)
    or cardinality(pg_blocking_pids(a.pid)) > 0
      and a.query_start < clock_timestamp() - make_interval(secs => %(blocked_seconds)s))
order by a.xact_start
limit 20
