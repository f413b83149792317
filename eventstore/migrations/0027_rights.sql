-- The account under which flexrun runs need not be able to delete operations: a function of the owner's does it, which
-- leaves those of the last day. A time that stays the same within the statement lets it walk the index.
create function flex_drop_operations(keep_seconds float8, most integer) returns bigint language sql as $$
  with old as (
    select o.operation_id
    from flex_operations o
    where o.operation_id < (
      lpad(to_hex((extract(epoch from statement_timestamp() - make_interval(secs => greatest(keep_seconds, 86400)))
        * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    order by o.operation_id
    limit most
    for update skip locked
  ), dropped as (
    delete from flex_operations o using old
    where o.operation_id = old.operation_id
    returning 1
  )
  select count(*) from dropped
$$;
