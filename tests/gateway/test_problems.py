"""One table turns errors into problems, by the nearest class of an error that is in it."""

import pytest

from gateway.errors import LimitReached, NotFound, PlanInvalid
from gateway.problems import problem_of
from runs.errors import NotAllowed, RunError, RunFinished, RunUnknown
from schemas.refusal import DocumentRefused, FieldProblem


class NoVotes(NotAllowed):
    """Has no line of its own in the table."""

    code = "no_votes"


class NoSuchThing(NotFound):
    code = "thing_unknown"


class NoReason(RunError):
    code = "no_reason"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RunUnknown("x"), 404, "run_unknown"),
        (NotAllowed("x"), 403, "not_allowed"),
        (NoVotes("x"), 403, "no_votes"),
        (RunFinished("x"), 409, "run_finished"),
        (NoReason("x"), 409, "no_reason"),
        (NoSuchThing("x"), 404, "thing_unknown"),
        (LimitReached("x"), 409, "refused"),
        (PlanInvalid("x", errors=[FieldProblem("cycle", "/nodes", "x")]), 422, "plan_invalid"),
        (DocumentRefused([FieldProblem("missing", "/a", "x")]), 400, "invalid_body"),
    ],
)
def test_an_error_is_answered_as_its_nearest_class(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert problem is not None
    assert (problem.status, problem.code) == (status, code)


def test_what_is_in_no_line_is_a_fault_of_our_own() -> None:
    assert problem_of(KeyError("x")) is None
