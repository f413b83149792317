"""A private Postgres for one machine: supervised, unprivileged, gone when its owner is.

It is in `flexrun.embedded.postgres`, which takes a tenth of a second to import; here is only how it fails.
"""

from flexrun.embedded.errors import DataFolderInUseError, EmbeddedPostgresError

__all__ = ["DataFolderInUseError", "EmbeddedPostgresError"]
