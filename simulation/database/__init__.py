"""A twin of the Postgres server, in memory: it answers the statements of `eventstore/sql/` as the server would."""
