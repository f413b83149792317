-- What the broker `postgres` keeps: messages from outside until they are handled, and what nobody could handle.
-- Work needs no table of its own, flex_work is its queue.

create table flex_messages (
  id         bigint      generated always as identity constraint flex_messages_pkey primary key,
  queue      text        not null,
  body       bytea       not null,
  deliveries integer     not null default 0,
  sent_at    timestamptz not null default clock_timestamp(),
  visible_at timestamptz not null default clock_timestamp()
);

comment on column flex_messages.visible_at is 'nobody else takes it before; a consumer that died gives it back so';

create index flex_messages_visible on flex_messages (queue, visible_at);

create table flex_dead_letters (
  id      bigint      generated always as identity constraint flex_dead_letters_pkey primary key,
  queue   text        not null,
  body    bytea       not null,
  reason  text        not null,
  died_at timestamptz not null default clock_timestamp()
);

create index flex_dead_letters_queue on flex_dead_letters (queue, id);
