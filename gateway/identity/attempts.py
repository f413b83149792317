"""What too many wrong tokens cost an address: it is answered 429, and what it sends is not compared any more.

An address may send so many different wrong tokens in a minute. One that it has sent before costs nothing: it is no
guess, and a worker with an old token would lock out its new one. A token that was good from there lately counts also
while others are not looked at, so that a guesser behind the same router locks out nobody who is at work.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

MAX_ADDRESSES = 10_000
"""So many addresses are remembered, and so many good tokens: those that were seen last."""

MAX_WRONG = 16
"""So many wrong tokens of one address are known again."""

GOOD_SECONDS = 3_600.0
_KEPT_BYTES = 16
"""What is kept of a token's hash."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Guesser:
    """One address: how many wrong tokens it may still send, as of when, and those that it has sent."""

    left: float
    at: float
    wrong: OrderedDict[bytes, None] = field(default_factory=OrderedDict[bytes, None])
    told: bool = False


class WrongTokens:
    """Counts them by address. `a_minute` is how many may come at once, and how many more in each minute."""

    def __init__(self, a_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.a_minute = a_minute
        self._monotonic = monotonic
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()
        self._good: OrderedDict[tuple[str, bytes], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._guessers)

    def wait_seconds(self, address: str, digest: bytes) -> int:
        """How long until a token of this hash is looked at again; 0 where it is now."""
        guesser = self._guessers.get(address)
        if guesser is None:
            return 0
        self._refill(guesser)
        kept = digest[:_KEPT_BYTES]
        if guesser.left >= 1 or kept in guesser.wrong or self._was_good(address, kept):
            return 0
        return math.ceil((1 - guesser.left) * 60 / self.a_minute)

    def note_good(self, address: str, digest: bytes) -> None:
        """A token was good."""
        key = address, digest[:_KEPT_BYTES]
        self._good[key] = self._monotonic()
        self._good.move_to_end(key)
        if len(self._good) > MAX_ADDRESSES:
            self._good.popitem(last=False)

    def note_wrong(self, address: str, digest: bytes) -> int:
        """A token was wrong: how long the sender has to wait, 0 where it may send another one at once."""
        guesser = self._guesser(address)
        kept = digest[:_KEPT_BYTES]
        if kept in guesser.wrong:
            guesser.wrong.move_to_end(kept)
            return 0
        guesser.wrong[kept] = None
        if len(guesser.wrong) > MAX_WRONG:
            guesser.wrong.popitem(last=False)
        if guesser.left < 1:
            return math.ceil((1 - guesser.left) * 60 / self.a_minute)
        guesser.left -= 1
        if guesser.left < 1 and not guesser.told:
            guesser.told = True
            _log.warning("wrong_tokens", address=address, a_minute=self.a_minute)
        return 0

    def _guesser(self, address: str) -> _Guesser:
        guesser = self._guessers.get(address)
        if guesser is None:
            guesser = self._guessers[address] = _Guesser(self.a_minute, self._monotonic())
            if len(self._guessers) > MAX_ADDRESSES:
                self._guessers.popitem(last=False)
        self._guessers.move_to_end(address)
        self._refill(guesser)
        return guesser

    def _refill(self, guesser: _Guesser) -> None:
        now = self._monotonic()
        guesser.left = min(self.a_minute, guesser.left + (now - guesser.at) * self.a_minute / 60)
        guesser.at = now
        if guesser.left >= self.a_minute:
            guesser.told = False

    def _was_good(self, address: str, kept: bytes) -> bool:
        at = self._good.get((address, kept))
        return at is not None and self._monotonic() - at < GOOD_SECONDS
