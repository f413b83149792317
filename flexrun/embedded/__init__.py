"""A private Postgres for one machine: supervised, unprivileged, ended with its owner.

It is in `flexrun.embedded.postgres`, which takes a tenth of a second to import; here are only its errors.
"""

from flexrun.embedded.errors import DataFolderInUseError, EmbeddedPostgresError

__all__ = ["DataFolderInUseError", "EmbeddedPostgresError"]
