"""What a model has answered: its text, why it ended, what it used, and the JSON in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from outbound.models.failure import ModelFailed
from runs.event import Json, JsonObject
from schemas.homes import TokenPrice
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused

_FENCE = re.compile(r"```[A-Za-z0-9_-]{0,20}[ \t]*\r?\n(.*?)```", re.DOTALL)
_MAX_FENCES = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion."""

    text: str
    finish_reason: str = "stop"
    refusal: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class NoJson(ValueError):
    """The text holds no JSON value."""


def check_ended_well(answer: Answer) -> None:
    """Raise ModelFailed for an answer that is a refusal, filtered, cut off or empty."""
    if answer.refusal:
        raise ModelFailed("model_refused", f"the model refused: {answer.refusal}", retryable=False)
    if answer.finish_reason == "content_filter":
        raise ModelFailed(
            "model_content_filtered", "the endpoint's content filter stopped the answer", retryable=False
        )
    if answer.finish_reason == "length":
        raise ModelFailed(
            "model_output_cut",
            f"the answer was cut off after {answer.output_tokens or 'too many'} tokens; give the home more 'maxTokens'",
            retryable=False,
        )
    if answer.finish_reason == "cut":
        raise ModelFailed(
            "model_answer_unreadable",
            "the answer ended before its end was announced",
            endpoint_failed=True,
            outcome_unknown=True,
        )
    if not answer.text:
        raise ModelFailed("model_answer_empty", f"the answer is empty ({answer.finish_reason})")


def json_in(text: str) -> Json:
    """The JSON value in an answer: all of it, a fenced block, or from the first bracket on. Raises NoJson."""
    for candidate in _candidates(text):
        try:
            return load_json(candidate.encode("utf-8", "replace"))
        except DocumentRefused:
            continue
    raise NoJson


def _candidates(text: str) -> list[str]:
    """Texts that may be JSON, a bounded number of them."""
    stripped = text.strip()
    found = [stripped]
    found += [fenced[1] for fenced, _ in zip(_FENCE.finditer(text), range(_MAX_FENCES), strict=False)]
    for opening, closing in (("{", "}"), ("[", "]")):
        start, end = stripped.find(opening), stripped.rfind(closing)
        if 0 <= start < end:
            found.append(stripped[start : end + 1])
    return found


def usage_of(answer: Answer, price: TokenPrice | None, seconds: float) -> JsonObject:
    """What the call used, by wire names (`schemas.usage`); its cost where a price per token is known."""
    used: dict[str, Any] = {"seconds": round(seconds, 3)}
    if answer.model:
        used["model"] = answer.model[:200]
    if answer.input_tokens is not None:
        used["inputTokens"] = answer.input_tokens
    if answer.output_tokens is not None:
        used["outputTokens"] = answer.output_tokens
    if price is not None and answer.input_tokens is not None:
        micros = answer.input_tokens * price.input_micros + (answer.output_tokens or 0) * price.output_micros
        used |= {"costMicros": round(micros), "currency": price.currency}
    return used
