-- database/time: the clock that everything here is timed by, in seconds since 1970.
select extract(epoch from clock_timestamp())::float8
