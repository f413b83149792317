"""Comparing two schemas in a child process: a large one would hold the event loop for seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

import orjson

from contracts.contradiction import contradictions
from contracts.problems import CheckerUnavailable, SchemaProblem
from contracts.widening import not_widened
from sandbox.errors import SandboxCrashed, SandboxFailed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.refusal import MAX_PROBLEMS

COMPARING_SECONDS = 2.0
"""CPU time that a child may spend on two schemas."""

_FUNCTION = "contracts.comparing:compare"
_Question = Literal["widened", "contradiction"]


async def find_not_widened(sandbox: Sandbox, old: Any, new: Any) -> list[SchemaProblem]:
    """`contracts.widening.not_widened`; what takes too long is not shown. Raises CheckerUnavailable."""
    found = await _ask(sandbox, "widened", old, new)
    too_much = SchemaProblem("facet_not_widened", "", "The schemas are too large to compare.")
    return [too_much] if found is None else found


async def find_contradictions(sandbox: Sandbox, schema: Any, other: Any) -> list[SchemaProblem]:
    """`contracts.contradiction.contradictions`; none where it takes too long. Raises CheckerUnavailable."""
    return await _ask(sandbox, "contradiction", schema, other) or []


async def _ask(sandbox: Sandbox, question: _Question, one: Any, two: Any) -> list[SchemaProblem] | None:
    try:
        found = await sandbox.call(
            _FUNCTION, question, orjson.dumps([one, two]), deadline_seconds=COMPARING_SECONDS
        )
    except (SandboxTimedOut, SandboxCrashed):
        return None
    except SandboxFailed as failure:
        raise CheckerUnavailable(str(failure)) from None
    return [SchemaProblem(**each) for each in found]


def compare(question: _Question, blob: bytes) -> list[dict[str, str]]:
    """On the child's side: the problems for two schemas, as a JSON array of both."""
    one, two = orjson.loads(blob)
    found = not_widened(one, two) if question == "widened" else contradictions(one, two)
    return [asdict(problem) for problem in found[:MAX_PROBLEMS]]
