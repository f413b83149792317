-- adopt/end: put the triggers of the log back.
alter table flex_events enable trigger user
