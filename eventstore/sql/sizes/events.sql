-- sizes/events: events and their bytes by type, of a sample of the table's pages; %(percent)s of them are read.
select e.type, count(*) as events, sum(pg_column_size(e.*)) as bytes,
       max(pg_column_size(e.*)) as largest_bytes
from flex_events e tablesample system (%(percent)s::real) repeatable (1)
group by e.type
order by bytes desc, e.type
