-- migrations/needed: which migration a release must know to go on with what these made of the schema.
select max(coalesce(compatible, number)) from flex_migrations where number = any(%(numbers)s)
