-- restore/begin: let this transaction write what the triggers of the log refuse; only a superuser may.
set local session_replication_role = replica
