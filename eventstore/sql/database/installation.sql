-- database/installation: the name of this installation, made and stored on the first call.
insert into flex_secrets (name, value)
values (
  'installation',
  convert_to(
    left(regexp_replace(current_database(), '[^A-Za-z0-9_-]', '_', 'g'), 20) || '-'
      || left(replace(gen_random_uuid()::text, '-', ''), 8),
    'UTF8'
  )
)
on conflict (name) do update set name = excluded.name
returning convert_from(value, 'UTF8')
