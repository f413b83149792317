-- processes/notify: wake-ups, several in one trip. It runs after the commits, never inside one: NOTIFY holds a
-- database-wide lock.
select pg_notify(channel, payload)
from unnest(%(channels)s::text[], %(payloads)s::text[]) as n (channel, payload)
