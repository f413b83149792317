"""libpq's environment variables, which would redirect a connection to the embedded Postgres."""

from __future__ import annotations

import os

from psycopg.pq import Conninfo

_WITHOUT_OPTION = frozenset(
    {"PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGDATA"}
)
"""Variables that libpq or Postgres read and that no option of a connection overrides."""


def drop_libpq_variables() -> list[str]:
    """Take them out of this process's environment, and so out of its children's; the names of those that were there.

    An address cannot override all of them: libpq reads PGSERVICE, PGTZ and others with any address.
    """
    options = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    names = sorted((options | _WITHOUT_OPTION) & os.environ.keys())
    for name in names:
        del os.environ[name]
    return names
