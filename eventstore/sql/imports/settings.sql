-- imports/settings: more time than an append has, since an import may wait for another one of the same run.
select set_config(name, '60s', false)
from (values ('statement_timeout'), ('lock_timeout'), ('idle_in_transaction_session_timeout')) as settings (name)
