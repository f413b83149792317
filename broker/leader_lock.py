"""The leader lock: an advisory lock, which lasts as long as its connection."""

from __future__ import annotations

from eventstore.connection import Connection, connect, hang_up_after
from eventstore.outage import Outage
from eventstore.statements import statement

_ANSWER_SECONDS = 5.0

_SILENCE = "set idle_session_timeout = '10s'"
"""The leader pings at every turn. One that is silent for so long hangs, frozen or blocked by its own process,
although its connection lives: the database ends the session, and the lock with it."""


class LeaderLock:
    """Tries for the lock that `lock_statement` takes. A leader that stops pinging the database loses it."""

    def __init__(self, database_url: str, lock_statement: str, outage: Outage) -> None:
        self._database_url = database_url
        self._lock_statement = lock_statement
        self._outage = outage
        self._connection: Connection | None = None
        self._held = False

    async def held(self) -> bool:
        """Whether this process is the leader now, by the database. Raises nothing: False without a database."""
        try:
            if self._connection is None:
                self._connection = await connect(self._database_url, "keeper")
                await self._connection.execute(_SILENCE, prepare=False)
            with hang_up_after(self._connection, _ANSWER_SECONDS):
                if self._held:
                    await self._connection.execute(statement("database/ping"))
                else:
                    cursor = await self._connection.execute(statement(self._lock_statement))
                    row = await cursor.fetchone()
                    self._held = row is not None and row[0]
        # Not only what psycopg raises: with any error the lock is in doubt, and another process may have it.
        except Exception as error:  # noqa: BLE001 - see above
            self._outage.failed("keeper lock", str(error).strip() or repr(error))
            await self.give_up()
        else:
            self._outage.worked("keeper lock")
        return self._held

    async def give_up(self) -> None:
        """Release the lock to another process."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            await connection.close()
