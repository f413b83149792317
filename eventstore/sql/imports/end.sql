-- imports/end: that the run was imported, after all else of it: from now on nothing may follow its last event.
insert into flex_imported_runs (run_id, imported_at, imported_by, installation, flexrun, exported_at, events, head_hash)
values (%(run_id)s, %(imported_at)s, %(imported_by)s, %(installation)s, %(flexrun)s, %(exported_at)s, %(events)s,
        decode(%(head_hash)s::text, 'hex'))
