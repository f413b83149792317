-- doctor/soon: let the next statements of this transaction wait no longer than a doctor may.
set local lock_timeout = '1s';
set local statement_timeout = '3s'
