"""What there is to know of a gateway before one is asked: where its doors are, and how it says no."""

from __future__ import annotations

from typing import Any

Frame = dict[str, Any]

API = "/api/v1/flex"


class GatewayProblemError(Exception):
    """The gateway said no: an `application/problem+json` with its status."""

    def __init__(self, status: int, problem: Frame) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        self.status = status
        self.problem = problem


class GatewayUnreachableError(Exception):
    """Nothing answers at the address, or the answer broke off."""
