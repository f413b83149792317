-- work/count_due: the number of due, unclaimed pieces of work of a queue.
select count(*) from flex_work
where queue = %(queue)s and not started and worker is null and due_at <= clock_timestamp()
