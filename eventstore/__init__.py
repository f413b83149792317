"""The log of events in Postgres, its read models, tailing and migrations."""
