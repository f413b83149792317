-- listen: both channels of notify.sql.
listen flexrun_log;
listen flexrun_work
