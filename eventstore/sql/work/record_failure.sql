-- work/record_failure: handling this work failed in a way that nobody foresaw, once more.
update flex_work
set failures = failures + 1, lost_as = case when started then 'broke' end
where run_id = %(run_id)s and kind = %(kind)s and ref = %(ref)s
returning failures
