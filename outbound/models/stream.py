"""An answer that comes in pieces, each shown as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Any, cast

from outbound.models.answer import Answer
from outbound.models.failure import ModelFailed
from schemas.redaction import REDACTED

Show = Callable[[str], None]


class NoStream(Exception):
    """The endpoint was asked for a stream, and has sent no piece of one."""


class ShownWithoutKey:
    """Shows a text piece by piece, without the key, which may be spread over pieces."""

    def __init__(self, show: Show, key: str | None) -> None:
        self._show = show
        self._key = key
        self._waiting = ""

    def add(self, text: str) -> None:
        """Show what cannot be the beginning of the key."""
        self._waiting += text
        if self._key:
            self._waiting = self._waiting.replace(self._key, REDACTED)
        kept = len(self._key) if self._key else 0
        ready = self._waiting[: max(0, len(self._waiting) - kept)]
        if ready:
            self._waiting = self._waiting[len(ready) :]
            self._show(ready)

    def end(self) -> None:
        """Show the rest."""
        if self._waiting:
            self._show(self._waiting)
            self._waiting = ""


async def read_stream(stream: AsyncIterable[Any], shown: ShownWithoutKey, max_characters: int) -> Answer:
    """The whole answer. Raises NoStream, and ModelFailed where it is too long."""
    texts: list[str] = []
    refusals: list[str] = []
    size, finish_reason, model, usage, pieces = 0, "", None, None, 0
    async for chunk in stream:
        model, usage = getattr(chunk, "model", None) or model, getattr(chunk, "usage", None) or usage
        for choice in _choices(chunk):
            pieces += 1
            delta: Any = getattr(choice, "delta", None)
            text, refusal = getattr(delta, "content", None), getattr(delta, "refusal", None)
            finish_reason = getattr(choice, "finish_reason", None) or finish_reason
            if isinstance(refusal, str):
                refusals.append(refusal)
            if isinstance(text, str) and text:
                size += len(text)
                if size > max_characters:
                    raise ModelFailed(
                        "model_answer_unreadable",
                        f"the answer has more than {max_characters:,} characters",
                        outcome_unknown=True,
                    )
                texts.append(text)
                shown.add(text)
    if not pieces:
        raise NoStream
    shown.end()
    return Answer(
        text="".join(texts),
        # A stream that ends without a reason was cut off by what lies between.
        finish_reason=str(finish_reason or "cut")[:100],
        refusal="".join(refusals) or None,
        model=model if isinstance(model, str) and model.strip() else None,
        input_tokens=count(usage, "prompt_tokens"),
        output_tokens=count(usage, "completion_tokens"),
    )


def _choices(chunk: Any) -> list[Any]:
    choices: Any = getattr(chunk, "choices", None)
    return cast("list[Any]", choices)[:1] if isinstance(choices, list) else []


def count(usage: Any, name: str) -> int | None:
    """A number of tokens; None for anything else."""
    value: Any = getattr(usage, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
