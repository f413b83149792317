-- people/list_links: links, newest first, from a cursor on; null does not filter. `mine` is who made it or decides by it.
select flex_links.*, (select r.tenant from flex_runs r where r.run_id = flex_links.run_id) as tenant
from flex_links
where (%(link_id)s::text is null or link_id = %(link_id)s)
  and (%(run_id)s::uuid is null or run_id = %(run_id)s)
  and (%(request_id)s::text is null or request_id = %(request_id)s)
  and (%(mine)s::text is null or made_by = %(mine)s or person = %(mine)s)
  and (%(tenant)s::text = '*'
       or exists (select from flex_runs r where r.run_id = flex_links.run_id and r.tenant = %(tenant)s))
  and (created_at, link_id) < (
    coalesce(%(created_before)s::timestamptz, 'infinity'), %(link_before)s::text)
order by created_at desc, link_id desc
limit %(limit)s
