-- tokens/revoke: have a token open nothing from now on; no row for an id that is not known. Again, nothing changes.
with revoked as (
  update flex_tokens t
  set revoked_at = coalesce(t.revoked_at, clock_timestamp()), revoked_by = coalesce(t.revoked_by, %(revoked_by)s)
  where t.token_id = %(token_id)s::uuid and (%(tenant)s::text = '*' or t.tenant = %(tenant)s)
  returning t.token_id
)
select r.token_id, pg_notify('flexrun_registry', '-;tokens') from revoked r
