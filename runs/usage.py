"""What the attempts of a run have used together, as far as their capabilities reported it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runs.event import JsonObject
from schemas.usage import MAX_COUNT, NO_CURRENCY


@dataclass(frozen=True, slots=True)
class UsedTogether:
    """Sums over `attempts` attempts that reported what they used; money is in micro-units, by currency.

    A sum of whole numbers stops at the largest that every JSON reader keeps.
    """

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost_micros: Mapping[str, int] = field(default_factory=dict[str, int])

    def to_wire(self) -> JsonObject | None:
        """As `schemas.usage.RunUsage` has it; None where no attempt has reported anything."""
        if not self.attempts:
            return None
        return {
            "attempts": self.attempts,
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "seconds": self.seconds,
            "costMicros": dict(self.cost_micros),
        }


NOTHING_USED = UsedTogether()


def add_usage(before: UsedTogether, usage: JsonObject) -> UsedTogether:
    """`before` with what one more attempt has used, in wire form (`schemas.usage.Usage`)."""
    cost: int | None = usage.get("costMicros")
    money = before.cost_micros
    if cost:
        currency: str = usage.get("currency") or NO_CURRENCY
        money = {**money, currency: _sum(money.get(currency, 0), cost)}
    return UsedTogether(
        attempts=before.attempts + 1,
        input_tokens=_sum(before.input_tokens, usage.get("inputTokens") or 0),
        output_tokens=_sum(before.output_tokens, usage.get("outputTokens") or 0),
        seconds=before.seconds + (usage.get("seconds") or 0.0),
        cost_micros=money,
    )


def _sum(left: int, right: int) -> int:
    return min(left + right, MAX_COUNT)
