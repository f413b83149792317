-- say: one wake-up, outside of any transaction that does more.
select pg_notify(%(channel)s, %(payload)s)
