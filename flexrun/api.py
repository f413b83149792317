"""The gateway's API as its clients see it: the root of its paths, and its refusals as exceptions."""

from __future__ import annotations

from typing import Any

Frame = dict[str, Any]

API = "/api/v1/flex"


class GatewayProblemError(Exception):
    """The gateway refused the request: an `application/problem+json` with its status."""

    def __init__(self, status: int, problem: Frame) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        self.status = status
        self.problem = problem


class GatewayUnreachableError(Exception):
    """Nothing answers at the address, or the answer was cut off."""
