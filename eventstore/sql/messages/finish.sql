-- messages/finish: delete a message that was handled.
delete from flex_messages where id = %(id)s
