"""How an error becomes a response: one table from its class to status and code, one shape for all of them.

The domain and the store know no HTTP; what they raise is looked up here, along its classes (the MRO). What is not in
the table is our own mistake: a 500 that shows nothing of the inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from contracts.problems import CheckerUnavailable
from eventstore.errors import StoreUnavailable, ValueRefused, VersionConflict
from gateway.errors import (
    GatewayError,
    IdentityUnavailable,
    NotFound,
    NotPermitted,
    PlanInvalid,
    ProxyNotTrusted,
    RunPruned,
    TokenMissing,
    TokenRefused,
    TooManyWrongTokens,
)
from runs import errors as r
from schemas.problem import MEDIA_TYPE, Located, build_problem
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.visible import visible

RETRY_AFTER_SECONDS = 1

_Translate = Callable[[Any], "ProblemError"]


class ProblemError(Exception):
    """An answer other than success; `code` is for programs, `detail` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Located] = (),
        omitted: int = 0,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.omitted = omitted
        """How many errors were left out of `errors`."""

        self.headers = dict(headers or {})
        self.more: dict[str, Any] = {}
        """Members of the problem beside those that each has."""

        self.close = close
        """Whether the connection must end, because the rest of the request is not wanted."""


HTTP_ERRORS: dict[int, tuple[str, str]] = {
    404: ("not_found", "There is no such door here; /openapi.json lists them all."),
    405: ("method_not_allowed", "This door does not take this method; the Allow header says which it takes."),
}


def problem_of(error: Exception) -> ProblemError | None:
    """What is answered for `error`, by the nearest of its classes in the table; None for a fault of our own."""
    for kind in type(error).__mro__:
        translate = _PROBLEMS.get(kind)
        if translate is not None:
            return translate(error)
    return None


def refused_document(refusal: DocumentRefused, detail: str | None = None) -> ProblemError:
    """400 with every place that is wrong; `invalid_json` where the body is no JSON at all."""
    codes = {each.code for each in refusal.problems}
    code = "invalid_json" if codes == {"invalid_json"} else "invalid_body"
    return ProblemError(400, code, detail or str(refusal), errors=refusal.problems, omitted=refusal.omitted)


def unavailable(code: str, detail: str, **more: Any) -> ProblemError:
    """503: worth trying again. `more` are members of the problem beside those that each has."""
    problem = ProblemError(503, code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    problem.more = more
    return problem


def internal_error() -> ProblemError:
    """500: our own mistake; the log has the rest under the correlation id."""
    detail = "Something went wrong on our side; the correlation id finds it in the log."
    return ProblemError(500, "internal_error", detail)


def problem_response(error: ProblemError, correlation_id: str | None) -> web.Response:
    """The answer as application/problem+json."""
    document = build_problem(
        error.status,
        error.code,
        visible(error.detail, block=True),
        errors=error.errors,
        omitted=error.omitted,
        correlation_id=correlation_id,
    )
    response = web.Response(
        body=orjson.dumps(document.to_wire() | error.more, option=orjson.OPT_APPEND_NEWLINE),
        status=error.status,
        content_type=MEDIA_TYPE,
        headers=error.headers,
    )
    if error.close:
        response.force_close()
    return response


def _run_error(status: int) -> _Translate:
    def translate(error: r.RunError) -> ProblemError:
        return ProblemError(status, error.code, error.message, errors=_response_errors(error))

    return translate


def _gateway_error(status: int) -> _Translate:
    def translate(error: GatewayError) -> ProblemError:
        return ProblemError(status, error.code, str(error), errors=error.errors)

    return translate


def _http_problem(error: web.HTTPException) -> ProblemError:
    code, detail = HTTP_ERRORS.get(error.status, ("http_error", error.reason))
    headers = {"Allow": allowed_methods(error)} if isinstance(error, web.HTTPMethodNotAllowed) else {}
    return ProblemError(error.status, code, detail, headers=headers)


def allowed_methods(unmatched: web.HTTPMethodNotAllowed) -> str:
    """For the Allow header: what the endpoint takes, and OPTIONS, which every one does."""
    return ", ".join(sorted(unmatched.allowed_methods | {"OPTIONS"}))


def _response_errors(error: r.RunError) -> list[FieldProblem]:
    """The contract's errors about what a person sent, where the refusal has some."""
    found: list[dict[str, Any]] = error.details.get("errors") or []
    return [
        FieldProblem(str(each["keyword"]), str(each["instancePath"]), str(each["message"])) for each in found
    ]


def _value_problem(error: ValueRefused) -> ProblemError:
    return ProblemError(400, "value_refused", f"The database cannot keep a value of this request: {error}")


def _token_problem(error: TokenRefused) -> ProblemError:
    challenge = {"WWW-Authenticate": 'Bearer realm="flexrun", error="invalid_token"'}
    return ProblemError(401, error.code, str(error), headers=challenge)


def _no_token_problem(error: TokenMissing) -> ProblemError:
    return ProblemError(401, error.code, str(error), headers={"WWW-Authenticate": 'Bearer realm="flexrun"'})


def _guessing_problem(error: TooManyWrongTokens) -> ProblemError:
    return ProblemError(429, error.code, str(error), headers={"Retry-After": str(error.retry_after_seconds)})


def _store_problem(_error: Exception) -> ProblemError:
    detail = "The database cannot be reached just now; nothing was lost, try again."
    return unavailable("store_unavailable", detail)


def _checker_problem(error: CheckerUnavailable) -> ProblemError:
    return unavailable("checker_unavailable", f"The contract could not be checked just now: {error}")


_PROBLEMS: dict[type[BaseException], _Translate] = {
    ProblemError: lambda problem: problem,
    r.RunError: _run_error(409),
    r.RunUnknown: _run_error(404),
    r.RunErased: _run_error(410),
    r.RequestUnknown: _run_error(404),
    r.PolicyUnknown: _run_error(404),
    r.NotAllowed: _run_error(403),
    r.ResponseInvalid: _run_error(422),
    GatewayError: _gateway_error(409),
    NotFound: _gateway_error(404),
    NotPermitted: _gateway_error(403),
    ProxyNotTrusted: _gateway_error(403),
    PlanInvalid: _gateway_error(422),
    TokenRefused: _token_problem,
    TokenMissing: _no_token_problem,
    TooManyWrongTokens: _guessing_problem,
    IdentityUnavailable: lambda error: unavailable(error.code, str(error)),
    RunPruned: _gateway_error(410),
    DocumentRefused: refused_document,
    web.HTTPException: _http_problem,
    ValueRefused: _value_problem,
    StoreUnavailable: _store_problem,
    VersionConflict: _store_problem,
    CheckerUnavailable: _checker_problem,
}
"""What is answered for each class of errors, and for those below it that have no line of their own."""
