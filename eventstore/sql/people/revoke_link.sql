-- people/revoke_link: revoke a link; a second time nothing changes.
update flex_links
set revoked_at = coalesce(revoked_at, clock_timestamp()), revoked_by = coalesce(revoked_by, %(revoked_by)s)
where link_id = %(link_id)s
  and (%(tenant)s::text = '*'
       or exists (select from flex_runs r where r.run_id = flex_links.run_id and r.tenant = %(tenant)s))
returning link_id
