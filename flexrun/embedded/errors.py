"""What can keep an embedded Postgres from running, said so that a person can act on it."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot run here; the message says why and what to do."""


class DataFolderInUseError(EmbeddedPostgresError):
    """Another process owns the data folder."""
