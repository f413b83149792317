-- processes/try_keeper_lock: whether this session is the keeper's from now on, until it ends.
select pg_try_advisory_lock(hashtextextended('flexrun keeper', 0))
