-- runs/tenants: to whom each of these runs belongs; a run that does not exist is not in the answer.
select r.run_id, r.tenant from flex_runs r where r.run_id = any (%(run_ids)s::uuid[])
