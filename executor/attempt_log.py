"""The lines that a capability writes into its run's log, limited in length, rate and number."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import get_args

import structlog

from eventstore.errors import StoreUnavailable, ValueRefused, VersionConflict
from eventstore.heartbeat import AttemptKey
from eventstore.run_writer import RunWriter
from executor.config import ExecutorConfig
from runs.commands import Command, RecordLog
from runs.errors import RunError
from runs.state import RunState
from runs.transitions import RUNNING
from schemas.clean_text import clean_text
from schemas.vocabulary import LogLevel

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_LEVELS: dict[str, LogLevel] = {level: level for level in get_args(LogLevel)}


class AttemptLog:
    """The `log` of one attempt: a token bucket of lines, and a limit for all of them.

    A line that cannot be written counts as omitted; the capability gets no error.
    """

    def __init__(
        self, writer: RunWriter, key: AttemptKey, config: ExecutorConfig, clock: Callable[[], datetime]
    ) -> None:
        self._writer = writer
        self._run_id, self._node_id, self._attempt = key
        self._config = config
        self._clock = clock
        self._tokens = float(config.log_lines_at_once)
        self._filled_at = time.monotonic()
        self._written = 0
        self.omitted = 0

    async def write(self, message: str, level: str = "info") -> None:
        """Append a `log` event to the run, or count the line as omitted."""
        if not self._admit():
            self.omitted += 1
            return
        text = clean_text(message)
        kept_level = _LEVELS.get(level, "info")

        async def build(state: RunState) -> Sequence[Command]:
            node = state.nodes.get(self._node_id)
            if state.finished or node is None or node.status != RUNNING or node.attempt != self._attempt:
                return []
            return [RecordLog(now=self._clock(), message=text, level=kept_level, node_id=self._node_id)]

        try:
            await self._writer.transact(self._run_id, build)
        except (RunError, StoreUnavailable, ValueRefused, VersionConflict) as error:
            self.omitted += 1
            _log.warning("log_line_lost", run_id=self._run_id, node_id=self._node_id, reason=str(error))

    def _admit(self) -> bool:
        now = time.monotonic()
        gained = (now - self._filled_at) * self._config.log_lines_per_second
        self._tokens = min(float(self._config.log_lines_at_once), self._tokens + gained)
        self._filled_at = now
        if self._written >= self._config.log_lines or self._tokens < 1:
            return False
        self._tokens -= 1
        self._written += 1
        return True

    def closing_line(self, now: datetime) -> list[Command]:
        """The line that says how many were omitted, to be appended with the attempt's result; [] for none."""
        if not self.omitted:
            return []
        message = f"{self.omitted} further line(s) of this attempt were left out"
        return [RecordLog(now=now, message=message, level="warning", node_id=self._node_id)]
