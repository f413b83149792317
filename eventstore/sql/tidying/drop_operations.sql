-- tidying/drop_operations: delete some of the operations that are kept no longer; how many.
with old as (
  select o.operation_id
  from flex_operations o
  where o.operation_id < (
    lpad(to_hex((extract(epoch from clock_timestamp() - make_interval(secs => %(keep_seconds)s)) * 1000)::bigint), 12, '0')
    || repeat('0', 20))::uuid
  order by o.operation_id
  limit %(limit)s
  for update skip locked
), dropped as (
  delete from flex_operations o using old
  where o.operation_id = old.operation_id
  returning 1
)
select count(*) from dropped
