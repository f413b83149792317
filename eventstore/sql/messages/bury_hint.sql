-- messages/bury_hint: a dead letter for work whose handling failed too often.
insert into flex_dead_letters (queue, body, reason) values (%(queue)s, %(body)s, %(reason)s)
