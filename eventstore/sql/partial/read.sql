-- partial/read: what the attempts of these runs have made so far.
select p.run_id, p.node_id, p.attempt, p.text, p.patches
from flex_partial_outputs p
where p.run_id = any (%(run_ids)s::uuid[])
order by p.run_id, p.node_id
