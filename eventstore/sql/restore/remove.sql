-- restore/remove: remove the events of a run behind a seq.
delete from flex_events where run_id = %(run_id)s and seq > %(head)s
