-- claim_messages: the oldest visible messages of a queue, counted as delivered and hidden for a while.
update flex_messages m
set deliveries = m.deliveries + 1,
    visible_at = clock_timestamp() + make_interval(secs => %(hidden_seconds)s)
where m.id in (
  select id from flex_messages
  where queue = %(queue)s and visible_at <= clock_timestamp()
  order by visible_at, id
  limit %(limit)s
  for update skip locked)
returning m.id, m.body, m.deliveries
