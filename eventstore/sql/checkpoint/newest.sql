-- checkpoint/newest: how old the newest checkpoint of a schedule is, and why the last attempt since then has failed;
-- always one row.
with newest as (
  select at, operation_id
  from flex_operations
  where action = 'writeCheckpoint' and outcome = 'done'
  order by operation_id desc
  limit 1
)
select extract(epoch from clock_timestamp() - newest.at)::float8 as age_seconds,
       (select reason
        from flex_operations
        where action = 'writeCheckpoint' and outcome = 'failed'
          and operation_id > coalesce(newest.operation_id, '00000000-0000-0000-0000-000000000000')
        order by operation_id desc
        limit 1) as failure
from (select) one
left join newest on true
