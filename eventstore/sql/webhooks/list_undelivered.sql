-- webhooks/list_undelivered: the same for those that wait or were given up, however many others there are; walks
-- flex_webhook_deliveries_open, for which the planner must be told twice that none of them is delivered.
select *
from flex_webhook_delivery_rows d
where d.hook_id = %(hook_id)s and d.status = %(status)s and d.status <> 'delivered'
  and (d.run_id, d.seq) < (%(run_before)s::uuid, %(seq_before)s)
order by d.run_id desc, d.seq desc
limit %(limit)s
