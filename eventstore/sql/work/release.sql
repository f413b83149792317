-- work/release: release claims that were not started and still belong to this worker.
with mine as (
  select w.run_id, w.kind, w.ref
  from unnest(%(run_ids)s::uuid[], %(kinds)s::text[], %(refs)s::text[]) as m (run_id, kind, ref)
  join flex_work w on w.run_id = m.run_id and w.kind = m.kind and w.ref = m.ref
  where w.worker = %(worker)s and not w.started
  for update of w skip locked
)
update flex_work w
set worker = null, lease_until = null
from mine
where w.run_id = mine.run_id and w.kind = mine.kind and w.ref = mine.ref
