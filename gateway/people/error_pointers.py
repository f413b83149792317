"""JSON pointers into a body, for the places where the contract rejects what a person wrote."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.problems import ProblemError
from runs.errors import ResponseInvalid
from runs.event import JsonObject
from schemas.hitl import ResumeBody
from schemas.refusal import DocumentRefused, FieldProblem


@dataclass(frozen=True, slots=True)
class ContractProblem:
    """One of the contract's errors: `pointer` leads into the body, `more` has the error as the checker gave it."""

    code: str
    pointer: str
    message: str
    more: Mapping[str, Any]


def contract_problems(errors: list[JsonObject], place: str) -> list[ContractProblem]:
    """The contract's errors about the document that stands at `place` (a JSON pointer) in the body."""
    return [
        ContractProblem(
            code=str(error.get("keyword")),
            pointer=place + str(error.get("instancePath", "")),
            message=str(error.get("message")),
            more={key: error.get(key) for key in ("instancePath", "keyword", "params", "schemaPath")},
        )
        for error in errors
    ]


@contextmanager
def errors_at(place: str) -> Generator[None]:
    """Turn ResponseInvalid into the 422 whose errors lead into the body, at `place`."""
    try:
        yield
    except ResponseInvalid as invalid:
        raise _problem(invalid, place) from None


@contextmanager
def errors_in_responses(body: ResumeBody, before: str = "") -> Generator[None]:
    """The same for a body of responses, where the refusal says which request it is about."""
    try:
        yield
    except ResponseInvalid as invalid:
        ids = [response.request_id for response in body.decisions()]
        request_id = invalid.details.get("requestId")
        place = f"{before}/responses/{ids.index(request_id)}" if request_id in ids else before
        raise _problem(invalid, f"{place}/editedOutput" if invalid.details.get("errors") else place) from None


@contextmanager
def below(place: str) -> Generator[None]:
    """Say of what is wrong in a document where that document stands in the body."""
    try:
        yield
    except DocumentRefused as refused:
        moved = [FieldProblem(each.code, place + each.pointer, each.message) for each in refused.problems]
        raise DocumentRefused(moved, refused.omitted) from None


def _problem(invalid: ResponseInvalid, place: str) -> ProblemError:
    errors: list[JsonObject] = invalid.details.get("errors") or []
    located = contract_problems(errors, place) or [FieldProblem(invalid.code, place, invalid.message)]
    return ProblemError(422, invalid.code, invalid.message, errors=located)
