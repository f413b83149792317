-- operations/list_by_object: what was done to one capability, token, webhook and so on, from a cursor on, newest first; null does not filter.
select *
from flex_operations
where object_kind = %(object_kind)s and object_id = %(object_id)s and object_kind <> 'run'
  and (tenant = %(tenant)s) is true
  and operation_id >= %(first)s::uuid
  and operation_id < %(before)s::uuid
  and (%(actor)s::text is null or actor = %(actor)s)
  and (%(action)s::text is null or action = %(action)s)
  and (%(run_id)s::uuid is null or run_id = %(run_id)s)
  and (%(object_kind)s::text is null or object_kind = %(object_kind)s)
  and (%(object_id)s::text is null or object_id = %(object_id)s)
  and (%(outcome)s::text is null or outcome = %(outcome)s)
order by operation_id desc
limit %(limit)s
