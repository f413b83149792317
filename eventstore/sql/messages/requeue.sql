-- messages/requeue: move a dead letter back into its queue, as a new message, and wake those who take it.
with risen as (
  delete from flex_dead_letters where id = %(id)s returning queue, body
), sent as (
  insert into flex_messages (queue, body) select queue, body from risen returning queue
)
select pg_notify('flexrun_work', ';' || queue) from sent
