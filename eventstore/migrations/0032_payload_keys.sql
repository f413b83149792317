-- The key of a run may be kept in wrapped form, under a key of its tenant that the database does not have: see
-- docs/protection.md. It may be wrapped anew by another one.

alter table flex_run_keys drop constraint flex_run_keys_length;
alter table flex_run_keys add constraint flex_run_keys_length check (length(key) between 32 and 200);

comment on column flex_run_keys.key is
  'AES-256, 32 bytes as it is, longer ones wrapped: a form (1), the length of an id, the id, RFC 3394; null: destroyed';

create or replace trigger flex_run_keys_keep before update on flex_run_keys
  for each row when (
    old.key is null or new.run_id <> old.run_id
    or (new.key is not null and (length(old.key) = 32 or length(new.key) = 32)))
  execute function flex_refuse_key_change();
