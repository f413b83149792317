-- imports/get: where a run was imported from; no row where it was not.
select i.run_id, i.imported_at, i.imported_by, i.installation, i.flexrun, i.exported_at, i.events,
       encode(i.head_hash, 'hex') as head_hash
from flex_imported_runs i
where i.run_id = %(run_id)s
  and (%(tenant)s::text = '*'
       or exists (select from flex_runs r where r.run_id = i.run_id and r.tenant = %(tenant)s))
