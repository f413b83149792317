"""What a capability may raise, and what is wrong with how one is declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class CapabilityError(Exception):
    """A failure with a code. `retryable` is False where a further attempt would fail the same way."""

    def __init__(self, code: str, message: str, retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class PersonAsked(Exception):
    """The attempt ends here, with a question to a person; `Context.ask` raises it."""

    def __init__(
        self,
        question: str,
        options: Sequence[dict[str, Any]] = (),
        *,
        allow_free_form: bool = True,
        additional_context: Any = None,
    ) -> None:
        super().__init__(question)
        self.question = question
        self.options = tuple(options)
        self.allow_free_form = allow_free_form
        self.additional_context = additional_context


class CapabilityMistake(TypeError):
    """A function cannot be a capability as it is declared; the message says what to change."""
