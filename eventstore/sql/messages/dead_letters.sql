-- messages/dead_letters: the oldest of a queue, or of all queues for ''; with ids, only these.
select id, queue, body, reason, died_at from flex_dead_letters
where (queue = %(queue)s or %(queue)s = '') and (%(ids)s::bigint[] is null or id = any (%(ids)s))
order by id
limit %(limit)s
