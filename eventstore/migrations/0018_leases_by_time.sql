-- The keeper looks for leases that have expired every second. By worker it had to read every lease to find them, also
-- the thousands of those that wait for a callback, a limit or an endpoint.
create index flex_work_expiring on flex_work (lease_until) where worker is not null;
