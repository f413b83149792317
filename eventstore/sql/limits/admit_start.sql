-- limits/admit_start: whether a run may start within these limits, and what is left of each; no rows for a run that is there.
select a.on_level, a.on_name, a.refused, a.remaining, a.wait_seconds
from flex_admit_start(
  %(tenant)s, %(actor)s, %(submitter)s, %(run_id)s::uuid, %(size_bytes)s::bigint, %(levels)s::text[], %(names)s::text[],
  %(mosts)s::bigint[], %(seconds)s::double precision[], %(claim_seconds)s::double precision) a
