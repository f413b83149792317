-- processes/listen: both channels of processes/notify.sql, and the one on which processes say that they are here.
listen flexrun_log;
listen flexrun_work;
listen flexrun_here
