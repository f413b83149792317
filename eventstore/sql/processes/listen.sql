-- processes/listen: listen on the channels of commits, of work, of the presence of processes, of the registry, and of
-- erasures.
listen flexrun_log;
listen flexrun_work;
listen flexrun_here;
listen flexrun_registry;
listen flexrun_partial;
listen flexrun_erased
