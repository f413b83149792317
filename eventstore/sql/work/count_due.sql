-- work/count_due: how much work of a queue is due and nobody's.
select count(*) from flex_work
where queue = %(queue)s and not started and worker is null and due_at <= clock_timestamp()
