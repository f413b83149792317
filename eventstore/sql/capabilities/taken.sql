-- capabilities/taken: attempts of these versions have begun now.
update flex_capabilities c
set last_taken_at = clock_timestamp()
from unnest(%(capability_ids)s::text[], %(versions)s::text[]) as t (capability_id, version)
where c.capability_id = t.capability_id and c.version = t.version
