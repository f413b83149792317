-- tidying/drop_operations: delete some of the operations that are kept no longer; how many.
select flex_drop_operations(%(keep_seconds)s, %(limit)s)
