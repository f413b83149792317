-- messages/return: make a message visible again after a while.
update flex_messages
set visible_at = clock_timestamp() + make_interval(secs => %(after_seconds)s)
where id = %(id)s
