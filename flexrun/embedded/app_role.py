"""The embedded database as flexrun uses it: migrated by its owner, and served by a role that cannot change the log."""

from __future__ import annotations

import structlog

from eventstore.migrate import migrate
from eventstore.rights import APP_ROLE, Roles, roles_missing, set_up_roles
from flexrun.embedded.data_folder import SUPERUSER

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def served_url(owner_url: str) -> str:
    """Migrate the database and set up its roles; the address under which flexrun uses it.

    `owner_url` is the superuser's. Raises MigrationRefused where a newer release migrated it, psycopg.Error.
    """
    for name in await migrate(owner_url):
        _log.info("migration applied", migration=name)
    if await roles_missing(owner_url, Roles()):  # migrations keep the rights of those that are there
        await set_up_roles(owner_url, Roles(), {})
    return owner_url.replace(f"postgresql://{SUPERUSER}@", f"postgresql://{APP_ROLE}@", 1)
