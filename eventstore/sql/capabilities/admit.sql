-- capabilities/admit: whether an attempt may start within the limits of its capability; where not, its work waits.
select a.admitted, a.in_use, a.started_lately, a.wait_seconds
from flex_admit(
  %(capability_id)s, %(run_id)s, %(node_id)s, %(attempt)s, %(holder)s, %(most_at_once)s::integer,
  %(most_per_minute)s::integer, %(claim_seconds)s, %(park_seconds)s) a
