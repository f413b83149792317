-- doctor/server: what kind of server this is, how it is set, and whether this account may write.
select current_setting('server_version_num')::int as version_number,
       current_setting('server_version') as version,
       pg_encoding_to_char(d.encoding) as encoding,
       pg_is_in_recovery() as is_standby,
       current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('max_connections')::int as max_connections,
       (select count(*) from pg_stat_activity where backend_type = 'client backend')::int as connections,
       pg_database_size(d.oid) as size_bytes,
       extract(epoch from clock_timestamp())::float8 as now,
       coalesce(
         has_table_privilege(to_regclass('flex_events'), 'insert')
         and has_table_privilege(to_regclass('flex_work'), 'insert, update, delete'), false) as may_write,
       to_regclass('flex_migrations') is not null as has_tables
from pg_database d
where d.datname = current_database()
