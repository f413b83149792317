-- people/add_link: store a link to a request; the time when it was made, no row where the request has `limit` links
-- already. Some of the links that expired more than a month ago are deleted on the way.
with forgotten as (
  delete from flex_links where link_id in (
    select link_id from flex_links where expires_at < clock_timestamp() - interval '30 days'
    order by expires_at limit 100)
)
insert into flex_links (link_id, run_id, request_id, person, known, with_tokens, made_by, expires_at)
select %(link_id)s, %(run_id)s, %(request_id)s, %(person)s, %(known)s, %(with_tokens)s, %(made_by)s, %(expires_at)s
where (select count(*) from (
  select from flex_links where request_id = %(request_id)s limit %(limit)s) as there) < %(limit)s
returning created_at
