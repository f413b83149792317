-- `tenant` held `metadata.clientId` of the envelope, which any caller may claim; it is called what it is.
-- No index and no function names the column: rows are taken by the names of their columns.

alter table flex_runs rename column tenant to client_id;
