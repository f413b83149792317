"""A private Postgres for one machine: supervised, unprivileged, gone when its owner is."""

from flexrun.embedded.data_folder import default_data_dir
from flexrun.embedded.errors import DataFolderInUseError, EmbeddedPostgresError
from flexrun.embedded.postgres import EmbeddedPostgres

__all__ = ["DataFolderInUseError", "EmbeddedPostgres", "EmbeddedPostgresError", "default_data_dir"]
