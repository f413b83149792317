-- processes/try_keeper_lock: whether this session is now the one that keeps the house; it is until it ends.
select pg_try_advisory_lock(hashtextextended('flexrun keeper', 0))
