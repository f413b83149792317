-- bury_message: from its queue to the dead letters, with the reason.
with gone as (
  delete from flex_messages where id = %(id)s returning queue, body)
insert into flex_dead_letters (queue, body, reason)
select queue, body, %(reason)s from gone
