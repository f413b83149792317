-- adopt/events: write the numbers into the log.
update flex_events e set xid = a.number::text::xid8 from flex_adopted a where a.run_id = e.run_id and a.xid = e.xid
