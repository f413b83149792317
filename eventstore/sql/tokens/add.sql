-- tokens/add: keep a new token; no row where there are too many that are neither revoked nor expired.
with added as (
  insert into flex_tokens as t (token_id, name, prefix, digest, scopes, roles, description, created_by, expires_at,
                                 tenant)
  select %(token_id)s::uuid, %(name)s, %(prefix)s, %(digest)s::bytea, %(scopes)s::text[], %(roles)s::text[],
         %(description)s::text, %(created_by)s,
         clock_timestamp() + make_interval(secs => %(expires_in_seconds)s::double precision), %(tenant)s
  where (
    select count(*) from flex_tokens o
    where o.revoked_at is null and (o.expires_at is null or o.expires_at > clock_timestamp())
      and o.token_id <> %(token_id)s::uuid
  ) < %(limit)s
  on conflict (token_id) do update set token_id = excluded.token_id
  returning t.*
)
select added.*, pg_notify('flexrun_registry', '-;tokens') from added
