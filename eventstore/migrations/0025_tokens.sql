-- Tokens of the API. Of each only the SHA-256 is kept: a token has 256 random bits, so that nobody finds it from its
-- hash, and a slow hash, which passwords need, would only make each request slower.

create table flex_tokens (
  token_id     uuid        not null,
  name         text        not null,
  prefix       text        not null,
  digest       bytea       not null,
  scopes       text[]      not null,
  roles        text[]      not null,
  description  text,
  created_at   timestamptz not null default clock_timestamp(),
  created_by   text        not null,
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  revoked_by   text,
  constraint flex_tokens_pkey primary key (token_id),
  constraint flex_tokens_digest_key unique (digest),
  constraint flex_tokens_digest check (length(digest) = 32),
  constraint flex_tokens_scopes check (cardinality(scopes) > 0),
  constraint flex_tokens_revoked check ((revoked_at is null) = (revoked_by is null))
);

comment on table flex_tokens is 'rows stay when they are revoked: as long as there is one, the gateway asks for tokens';
comment on column flex_tokens.last_used_at is 'written at most once a minute';

create index flex_tokens_live on flex_tokens (token_id) where revoked_at is null;

create function flex_refuse_token_change() returns trigger language plpgsql as $$
begin
  raise exception 'token %: it is revoked, or its hash, name and scopes would change; make another one', old.token_id
    using errcode = 'FR004';
end
$$;

create trigger flex_tokens_keep before update on flex_tokens
  for each row when (
    new.digest <> old.digest or new.name <> old.name or new.scopes <> old.scopes or new.roles <> old.roles
    or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at))
  execute function flex_refuse_token_change();
