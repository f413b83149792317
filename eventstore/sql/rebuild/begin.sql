-- rebuild/begin: lock the read models, copy the leases, and empty the read models.
lock table flex_runs, flex_plan_nodes, hitl_requests, flex_work in access exclusive mode;
create temporary table kept_leases on commit drop as select * from flex_work;
truncate flex_runs, flex_plan_nodes, hitl_requests, flex_work
