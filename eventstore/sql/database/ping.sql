-- database/ping: test the connection.
select 1
