"""Which programs an executor may start as MCP servers: a registered descriptor alone must not start any."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True, slots=True)
class AllowedCommands:
    """The beginnings of commands that may be started."""

    beginnings: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, text: str | None) -> AllowedCommands:
        """Read `FLEXRUN_MCP_COMMANDS`: commands, or their first words, with `;` between; `*` is any.

        Raises ValueError for a quotation that does not end.
        """
        parts = [tuple(shlex.split(part)) for part in (text or "").split(";")]
        return cls(tuple(part for part in parts if part))

    def permits(self, command: Sequence[str]) -> bool:
        """Whether this command may be started."""
        return any(
            beginning == (ANY,) or tuple(command[: len(beginning)]) == beginning
            for beginning in self.beginnings
        )
