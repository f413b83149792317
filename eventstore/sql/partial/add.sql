-- partial/add: add to what attempts have made so far; a later attempt of a node begins anew,
-- and one that has made too much gets no more.
insert into flex_partial_outputs as kept (run_id, node_id, attempt, text, patches)
select g.run_id, g.node_id, g.attempt, g.text, g.patches
from jsonb_to_recordset(%(rows)s::text::jsonb) as g (
  run_id uuid, node_id text, attempt integer, text text, patches jsonb)
order by g.run_id, g.node_id
on conflict (run_id, node_id) do update
set text = case when kept.attempt = excluded.attempt then kept.text || excluded.text else excluded.text end,
    patches = case when kept.attempt = excluded.attempt then kept.patches || excluded.patches else excluded.patches end,
    attempt = excluded.attempt,
    updated_at = clock_timestamp()
where kept.attempt < excluded.attempt
   or (kept.attempt = excluded.attempt and length(kept.text) <= %(most)s and length(kept.patches::text) <= %(most)s)
