-- messages/claim: the oldest visible messages of a queue, counted as delivered and hidden for a while.
-- Chosen in a CTE, which runs once: a planner may run a subquery of IN again for each row, and take more than the limit.
with free as (
  select id from flex_messages
  where queue = %(queue)s and visible_at <= clock_timestamp()
  order by visible_at, id
  limit %(limit)s
  for update skip locked
)
update flex_messages m
set deliveries = m.deliveries + 1,
    visible_at = clock_timestamp() + make_interval(secs => %(hidden_seconds)s)
from free
where m.id = free.id
returning m.id, m.body, m.deliveries
