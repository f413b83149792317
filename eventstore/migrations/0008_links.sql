-- Links to requests: a row each, so that they can be listed and revoked. Not derived from the log.

create table flex_links (
  link_id     text        not null constraint flex_links_pkey primary key,
  run_id      uuid        not null,
  request_id  text        not null,
  person      text,
  known       boolean     not null,
  with_tokens boolean     not null,
  made_by     text        not null,
  created_at  timestamptz not null default clock_timestamp(),
  expires_at  timestamptz not null,
  revoked_at  timestamptz,
  revoked_by  text
);

comment on column flex_links.person is 'in whose name it decides; null: in the name that is typed into the page';
comment on column flex_links.known is 'the person had a token when it was made; without one, it decides nothing';
comment on column flex_links.with_tokens is 'tokens were configured when it was made';

create index flex_links_created on flex_links (created_at, link_id);
create index flex_links_request on flex_links (request_id);
create index flex_links_run on flex_links (run_id);
create index flex_links_expires on flex_links (expires_at);
