-- database/maintenance_settings: for long statements: no time-out but for locks, and the planner's defaults.
select set_config(name, value, false) from (values
  ('statement_timeout', '0'),
  ('lock_timeout', '60s'),
  ('idle_in_transaction_session_timeout', '0'),
  ('plan_cache_mode', 'auto'),
  ('enable_seqscan', 'on'),
  ('enable_bitmapscan', 'on'),
  ('enable_hashjoin', 'on'),
  ('enable_mergejoin', 'on')
) as settings (name, value)
