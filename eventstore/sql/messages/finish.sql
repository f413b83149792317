-- messages/finish: it is handled.
delete from flex_messages where id = %(id)s
