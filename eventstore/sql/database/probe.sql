-- database/probe: what an append needs, in little: bytes on the disk (a sort that does not fit into memory), and a
-- row that is written and committed. Several statements, hence without parameters.
set local work_mem = '64kB';
select count(*) from (
  select number, repeat('x', 1000) as filler from generate_series(1, 400) as number order by 2, 1 offset 0
) as spilled;
insert into flex_secrets (name, value) values ('probe', 'written')
on conflict (name) do update set value = excluded.value
