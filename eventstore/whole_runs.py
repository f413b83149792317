"""What all have in common that read whole runs in the order of their ids: ranges, connections, parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from eventstore.connection import Connection, connect
from eventstore.projection import Sections
from eventstore.statements import statement
from runs.event import Event

FIRST_RUN = "00000000-0000-0000-0000-000000000000"
LAST_RUN = "ffffffff-ffff-ffff-ffff-ffffffffffff"
ONE_MOMENT = "set transaction isolation level repeatable read, read only"

Log = list[list[Event]]
"""The events of a run by commit, as they are stored: sealed, where the run has a key."""


@dataclass(frozen=True, slots=True)
class RunRange:
    """The runs with ids above `after`, up to and with `until`."""

    after: str = FIRST_RUN
    until: str = LAST_RUN

    @classmethod
    def of(cls, run_id: str) -> RunRange:
        """This run alone."""
        return cls(str(UUID(int=max(UUID(run_id).int - 1, 0))), run_id)

    @property
    def parameters(self) -> dict[str, str]:
        return {"after": self.after, "until": self.until}


ALL_RUNS = RunRange()


def add_sections(sections: Sections, more: Sections) -> None:
    for name, rows in more.items():
        sections.setdefault(name, []).extend(rows)


async def connect_for_maintenance(database_url: str) -> Connection:
    """A connection for long statements. Raises psycopg.Error, DatabaseUnsuitable."""
    connection = await connect(database_url, "rebuild")
    await connection.execute(statement("database/maintenance_settings"))
    return connection


def parameters_of(run_ids: list[str], sections: Sections) -> dict[str, Any]:
    """The parameters of statements that take rows of runs."""
    return {"run_ids": run_ids, "batch": orjson.dumps(sections).decode()}
