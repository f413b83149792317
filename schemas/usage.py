"""What a capability says that one call of it used."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import AS_SENT, OpenModel, Reference

MAX_COUNT = 2**53 - 1
"""The largest whole number that every JSON reader keeps."""

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Seconds = Annotated[float, Field(ge=0, le=366 * 24 * 3600), AS_SENT]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""A currency as ISO 4217 has it, such as `EUR`."""


class Usage(OpenModel):
    """Tokens, money in millionths of `currency`, and seconds of work; `model` is the version that answered."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_micros: Count | None = None
    currency: Currency | None = None
    seconds: Seconds | None = None
    model: Reference | None = None


NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency: the sum of money that was reported without one."""


class RunUsage(OpenModel):
    """The sums of what the attempts of a run reported, failed ones included; `attempts` says how many did.

    Money is in millionths, by currency; `XXX` is money that was reported without one.
    """

    attempts: Count
    input_tokens: Count
    output_tokens: Count
    seconds: Annotated[float, Field(ge=0), AS_SENT]
    cost_micros: dict[Currency, Count]
