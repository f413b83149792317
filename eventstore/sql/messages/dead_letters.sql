-- messages/dead_letters: the oldest of a queue, or of all queues for ''.
select queue, body, reason, died_at from flex_dead_letters
where queue = %(queue)s or %(queue)s = ''
order by id
limit %(limit)s
