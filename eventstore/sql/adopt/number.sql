-- adopt/number: give each commit of each run a number, as low as can be: commits of one run differ, those of several
-- runs need not. What stands before the place of a webhook stays before it: the places divide the log into stretches,
-- and a commit at a place is a stretch of its own (the odd ones). The next statements use both tables.
create temporary table flex_adopted on commit drop as
with place as (
  select fed_xid as xid, row_number() over (order by fed_xid) as number from (select distinct fed_xid from flex_webhooks) as h
), committed as (
  select e.run_id, e.xid, min(e.seq) as first_seq,
         coalesce((select case when p.xid = e.xid then 2 * p.number - 1 else 2 * p.number end
                   from place p where p.xid <= e.xid order by p.xid desc limit 1), 0) as stretch
  from flex_events e
  group by e.run_id, e.xid
), counted as (
  select c.*, case when c.stretch % 2 = 1 then 1
                   else row_number() over (partition by c.stretch, c.run_id order by c.first_seq) end as number
  from committed c
), stretches as (
  select s.stretch, coalesce(max(c.number), 1) as length
  from (select stretch from counted union select 2 * number - 1 from place) as s (stretch)
  left join counted c using (stretch)
  group by s.stretch
), begins as (
  select stretch, 3 + sum(length) over (order by stretch) - length as first from stretches
)
select c.run_id, c.xid, b.first + c.number - 1 as number from counted c join begins b using (stretch)
union all
select null, p.xid, b.first from place p join begins b on b.stretch = 2 * p.number - 1
