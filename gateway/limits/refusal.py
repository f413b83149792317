"""What a caller is told about limits: 429 with a code for each, and the headers of the IETF draft on rate limits.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` has what is allowed, `RateLimit`
what is left of it now. Each policy is named by its level and limit, such as `tenant-runsPerMinute`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from eventstore.tenant_limits import Limit, Standing
from gateway.problems import RETRY_AFTER_SECONDS, ProblemError
from schemas.limits import RATE_SECONDS, LimitName

_WORDS: dict[LimitName, str] = {
    "unfinishedRuns": "{} runs that are not over",
    "runsPerMinute": "{} starts of runs a minute",
    "bytesPerDay": "{} bytes of runs a day",
    "openRequests": "{} requests to people that are open",
    "webhooks": "{} webhooks",
    "openStreams": "{} open streams at a gateway",
    "requestsInFlight": "{} requests at a time at a gateway",
    "checksPerMinute": "{} checks of contracts a minute at a gateway",
    "weight": "a weight of {}",
}
_UNITS: dict[LimitName, str] = {"bytesPerDay": ';qu="content-bytes"'}
_SLOW_SECONDS = 5
"""When to come back for what is free only once somebody has done something."""

_CAPITAL = re.compile(r"(?=[A-Z])")


def code_of(name: LimitName) -> str:
    """The code of the problem: `limit_runs_per_minute` for `runsPerMinute`."""
    return "limit_" + _CAPITAL.sub("_", name).lower()


def refusal(limit: Limit, wait_seconds: float | None = None) -> ProblemError:
    """429 for what is beyond a limit; without `wait_seconds` it is not known when there is room again."""
    whose = "This tenant" if limit.level == "tenant" else "This caller"
    detail = f"{whose} may have {_WORDS[limit.name].format(limit.most)}, and has them. Try again later."
    seconds = _SLOW_SECONDS if wait_seconds is None else max(math.ceil(wait_seconds), RETRY_AFTER_SECONDS)
    problem = ProblemError(429, code_of(limit.name), detail, headers={"Retry-After": str(seconds)})
    problem.more = {"limit": limit.name, "level": limit.level, "most": limit.most}
    return problem


def rate_headers(standings: Sequence[tuple[Limit, Standing]]) -> dict[str, str]:
    """What is allowed and what is left, of the limits that are so much in a time."""
    policies: list[str] = []
    left: list[str] = []
    for limit, standing in standings:
        seconds = RATE_SECONDS.get(limit.name)
        if seconds is None:
            continue
        name = f'"{limit.level}-{limit.name}"'
        policies.append(f"{name};q={limit.most};w={seconds}{_UNITS.get(limit.name, '')}")
        wait = max(math.ceil(standing.wait_seconds), 1) if standing.refused else _next_seconds(limit, seconds)
        left.append(f"{name};r={max(standing.remaining, 0)};t={wait}")
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)} if policies else {}


def _next_seconds(limit: Limit, seconds: int) -> int:
    """In how many seconds there is more than now."""
    return max(math.ceil(seconds / max(limit.most, 1)), 1)
