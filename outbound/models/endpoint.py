"""What one process has learnt about an endpoint of models: how it can be asked, and until when it wants no requests."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from outbound.models.request import MODES, Mode

_KEPT_SECONDS = 3_600.0
"""How long it is remembered what an endpoint does not have; then it is tried again."""

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 600.0


@dataclass(slots=True)
class Endpoint:
    """One model at one base URL, for all attempts of this process.

    `max_tokens_name` is the parameter that bounds an answer: newer models of OpenAI refuse the older name.
    """

    max_tokens_name: str = "max_tokens"
    streams: bool = True
    """Whether it is asked for its answer in pieces."""
    counts_streams: bool = True
    """Whether it is asked to say what a streamed answer has used."""
    _lacks: dict[Mode, float] = field(default_factory=dict[Mode, float])
    _free_at: float = 0.0
    _pause_seconds: float = _FIRST_PAUSE_SECONDS

    def usable(self, modes: tuple[Mode, ...]) -> list[Mode]:
        """Of these modes, those that this endpoint is not known to lack; the last one in any case."""
        now = time.monotonic()
        return [mode for mode in modes if mode == modes[-1] or self._lacks.get(mode, 0.0) <= now]

    def lacks(self, mode: Mode) -> None:
        """Do not ask in this mode for a while."""
        if mode != MODES[-1]:
            self._lacks[mode] = time.monotonic() + _KEPT_SECONDS

    def does_without(self, parameter: str | None) -> bool:
        """Do not send this parameter any more, which was refused; False where it cannot be left out."""
        if parameter == "max_tokens" and self.max_tokens_name == parameter:
            self.max_tokens_name = "max_completion_tokens"
        elif parameter == "stream_options" and self.counts_streams:
            self.counts_streams = False
        elif parameter == "stream" and self.streams:
            self.streams = False
        else:
            return False
        return True

    def busy(self, retry_after_seconds: float | None) -> None:
        """Send nothing before then; a pause that doubles where the endpoint does not say how long."""
        if retry_after_seconds is None:
            retry_after_seconds = self._pause_seconds
            self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        seconds = min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
        self._free_at = max(self._free_at, time.monotonic() + seconds)

    def answered(self) -> None:
        """It takes requests: the next pause is the first again."""
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    @property
    def seconds_until_free(self) -> float:
        """How long it wants no requests yet; 0 where it takes them."""
        return max(0.0, self._free_at - time.monotonic())
