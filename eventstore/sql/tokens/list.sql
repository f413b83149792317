-- tokens/list: tokens from a cursor on, newest first, without their hashes; one only where its id is given.
select token_id, name, prefix, scopes, roles, description, created_at, created_by, expires_at, last_used_at,
       revoked_at, revoked_by, tenant
from flex_tokens
where token_id < %(before)s::uuid
  and (%(tenant)s::text = '*' or tenant = %(tenant)s)
  and (%(token_id)s::uuid is null or token_id = %(token_id)s::uuid)
order by token_id desc
limit %(limit)s
