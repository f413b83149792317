"""What a run may use in all."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import Model, flaw, refused
from schemas.plan import MAX_NODES
from schemas.usage import Count, Currency, Seconds


class Budget(Model):
    """Limits of what the attempts of a run report together, of its attempts (`nodes`), and of its replans.

    `costMicros` is money in millionths: of `currency` where one is named, else of all that is reported.
    """

    cost_micros: Count | None = None
    currency: Currency | None = None
    tokens: Count | None = None
    seconds: Seconds | None = None
    nodes: Annotated[int, Field(ge=1, le=100 * MAX_NODES)] | None = None
    replans: Annotated[int, Field(ge=0, le=1_000)] | None = None

    @model_validator(mode="after")
    def _money_of_a_currency(self) -> Self:
        if self.currency is not None and self.cost_micros is None:
            raise refused(flaw("missing", "Say how much of this currency.", "costMicros"))
        return self
