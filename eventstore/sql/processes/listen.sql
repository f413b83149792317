-- processes/listen: listen on the channels of commits, of work, and of the presence of processes.
listen flexrun_log;
listen flexrun_work;
listen flexrun_here
