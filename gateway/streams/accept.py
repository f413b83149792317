"""What a client would rather have: a stream of events, or JSON (`Accept`, RFC 9110, 12.5.1)."""

from __future__ import annotations

import re

_STREAM = "text/event-stream"
_JSON = "application/json"
_WEIGHT = re.compile(r"q\s*=\s*([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


def wants_stream(accept: str) -> bool:
    """Whether `accept` asks for a stream: by name, or by liking it better than JSON. A weight of 0 refuses it."""
    weights = _weights(accept)
    stream, json = _weight_of(_STREAM, weights), _weight_of(_JSON, weights)
    return stream > json or (_STREAM in weights and 0 < stream == json)


def _weights(accept: str) -> dict[str, float]:
    """Media range → weight; the parameters of a range other than `q` do not count."""
    weights: dict[str, float] = {}
    for each in accept.split(","):
        media_range, *parameters = (part.strip() for part in each.split(";"))
        found = (_WEIGHT.fullmatch(parameter) for parameter in parameters)
        weights[media_range.lower()] = next((min(float(each[1]), 1.0) for each in found if each), 1.0)
    return weights


def _weight_of(media_type: str, weights: dict[str, float]) -> float:
    """By the most specific range that the type is in."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)
