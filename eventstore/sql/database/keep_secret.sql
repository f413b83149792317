-- database/keep_secret: the secret of this name; where there is none, the offered value is stored.
insert into flex_secrets (name, value) values (%(name)s, %(offered)s)
on conflict (name) do update set name = excluded.name
returning value
