-- imports/rows: the nodes and the requests of an imported run. A request whose id another run has is an error here,
-- where the rows of appends replace each other.
with nodes as (
  insert into flex_plan_nodes
  select * from jsonb_populate_recordset(null::flex_plan_nodes, %(batch)s::text::jsonb -> 'planned')
)
insert into hitl_requests
select * from jsonb_populate_recordset(null::hitl_requests, %(batch)s::text::jsonb -> 'requests')
