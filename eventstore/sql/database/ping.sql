-- database/ping: is anybody there?
select 1
