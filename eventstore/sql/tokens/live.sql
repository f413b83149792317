-- tokens/live: the tokens that are good now, each with its hash.
select token_id, name, digest, scopes, roles, expires_at, tenant
from flex_tokens
where revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
order by token_id
