-- messages/drop: delete a dead letter.
delete from flex_dead_letters where id = %(id)s returning id
