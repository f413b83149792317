-- retention/ended_before: the time so many seconds ago, by the database's clock.
select clock_timestamp() - make_interval(secs => %(seconds)s)
