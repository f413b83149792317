-- processes/leave: a process has stopped as it should.
delete from flex_processes where worker = %(worker)s
