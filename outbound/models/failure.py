"""Why a model gave no answer that can be used."""

from __future__ import annotations


class ModelFailed(Exception):
    """A failure with a code. `retryable` is False where asking again would fail the same way.

    The endpoint is not to be asked again before `retry_after_seconds`. `endpoint_failed` says that it did not work,
    whatever it was asked, `outcome_unknown` that the request may have been answered all the same.
    The message has no key in it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        retryable: bool = True,
        *,
        retry_after_seconds: float = 0,
        endpoint_failed: bool = False,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.endpoint_failed = endpoint_failed
        self.outcome_unknown = outcome_unknown
