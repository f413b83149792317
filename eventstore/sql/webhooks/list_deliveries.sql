-- webhooks/list_deliveries: of one webhook, newest runs first, from a cursor on; walks the primary key.
select *
from flex_webhook_delivery_rows d
where d.hook_id = %(hook_id)s
  and (%(status)s::text is null or d.status = %(status)s)
  and (d.run_id, d.seq) < (%(run_before)s::uuid, %(seq_before)s)
order by d.run_id desc, d.seq desc
limit %(limit)s
