-- messages/send: put a message into a queue and wake its consumers.
with sent as (
  insert into flex_messages (queue, body) values (%(queue)s, %(body)s) returning queue)
select pg_notify('flexrun_work', ';' || queue) from sent
