-- messages/bury: move a message from its queue to the dead letters, with the reason and the part of its body that may
-- be stored.
with gone as (
  delete from flex_messages where id = %(id)s returning queue)
insert into flex_dead_letters (queue, body, reason)
select queue, %(body)s, %(reason)s from gone
