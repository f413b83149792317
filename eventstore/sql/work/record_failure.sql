-- work/record_failure: count an unforeseen failure of handling this work.
update flex_work
set failures = failures + 1, lost_as = case when started then 'broke' end
where run_id = %(run_id)s and kind = %(kind)s and ref = %(ref)s
returning failures
