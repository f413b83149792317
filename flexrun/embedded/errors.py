"""Why an embedded Postgres cannot run; each message says what to do."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot run here; the message says why and what to do."""


class DataFolderInUseError(EmbeddedPostgresError):
    """Another process owns the data folder."""
