-- tokens/used: note that tokens were used, each at most once a minute, whichever process says so.
update flex_tokens t
set last_used_at = clock_timestamp()
where t.token_id = any (%(token_ids)s::uuid[])
  and (t.last_used_at is null or t.last_used_at < clock_timestamp() - interval '1 minute')
