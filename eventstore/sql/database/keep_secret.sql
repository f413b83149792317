-- database/keep_secret: the secret of this name; the offered value becomes it where there is none.
insert into flex_secrets (name, value) values (%(name)s, %(offered)s)
on conflict (name) do update set name = excluded.name
returning value
