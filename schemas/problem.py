"""Errors as HTTP says them: `application/problem+json` (RFC 9457)."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from pydantic import Field

from schemas.base import OpenModel
from schemas.refusal import MAX_PROBLEMS

MEDIA_TYPE = "application/problem+json"


class ProblemDetail(OpenModel):
    """One thing wrong in the request; `pointer` is a JSON pointer into its body."""

    pointer: str
    code: str
    message: str


class Problem(OpenModel):
    """What went wrong and what to do about it; `code` is for programs and never changes its meaning.

    `errors` has the first of what is wrong, and `omitted` counts the others where there are more. `statusMessage` is
    `detail` on one line, under the name that operator screens read.
    """

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    status_message: str | None = None
    code: str
    errors: Annotated[list[ProblemDetail], Field(max_length=MAX_PROBLEMS)] = Field(
        default_factory=list[ProblemDetail]
    )
    omitted: Annotated[int, Field(ge=1)] | None = None
    correlation_id: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The document, without a correlation id where there is none."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Located(Protocol):
    """What FieldProblem and its like have in common."""

    @property
    def code(self) -> str: ...
    @property
    def pointer(self) -> str: ...
    @property
    def message(self) -> str: ...


def build_problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Located] = (),
    omitted: int = 0,
    correlation_id: str | None = None,
) -> Problem:
    """The problem for a snake_case `code`, from which its type and its title are made.

    At most `MAX_PROBLEMS` of `errors` are listed; the others count as `omitted`, like those left out before.
    """
    omitted += max(0, len(errors) - MAX_PROBLEMS)
    return Problem(
        type=f"urn:flexrun:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        status_message=" ".join(detail.split()),
        code=code,
        errors=[_detail(each) for each in errors[:MAX_PROBLEMS]],
        omitted=omitted or None,
        correlation_id=correlation_id,
    )


def _detail(each: Located) -> ProblemDetail:
    more: dict[str, Any] = dict(getattr(each, "more", {}))
    return ProblemDetail(pointer=each.pointer, code=each.code, message=each.message, **more)
