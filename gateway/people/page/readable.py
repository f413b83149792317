"""A JSON document for people: headings, paragraphs and lists; the JSON itself is folded away below.

Keys and texts stand as they were written. What a browser would fold (several spaces) is kept by the style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import cast
from xml.etree.ElementTree import Element

import orjson

from gateway.people.page.html import h
from runs.event import Json, JsonObject
from schemas.visible import visible_json

MAX_PARTS = 2_000
"""Lines and values that are laid out; what comes after them is in the JSON only, and the page says so."""
_INDENT = "\N{EM SPACE}"
MAX_DEPTH = 6
"""Levels that are laid out. What is deeper stands as JSON in its place."""


def document(title: str, content: Json) -> list[Element]:
    """A section of the page; none where there is nothing."""
    if content is None:
        return []
    budget = _Budget(MAX_PARTS)
    laid_out = list(budget.bounded(_parts(content, 0, budget)))
    more = [h("p", "There is more than is laid out here: read the JSON.", class_="cut")] if budget.cut else []
    raw = h("details", h("summary", "The same as JSON"), h("pre", pretty(content), tabindex="0"))
    return [h("h2", title), h("div", *laid_out, class_="document"), *more, raw]


def pretty(content: Json) -> str:
    """The document as indented JSON in which nothing hides."""
    return visible_json(orjson.dumps(content, option=orjson.OPT_INDENT_2))


class _Budget:
    """How many parts may still be laid out."""

    def __init__(self, parts: int) -> None:
        self.cut = False
        self._parts = parts

    def bounded(self, elements: Iterator[Element]) -> Iterator[Element]:
        """These elements as long as there is room."""
        for element in elements:
            if self._parts <= 0:
                self.cut = True
                return
            self._parts -= 1
            yield element


def _parts(content: Json, depth: int, budget: _Budget) -> Iterator[Element]:
    if isinstance(content, str):
        return paragraphs(content)
    if not content or not isinstance(content, (dict, list)):
        return iter((h("p", h("code", pretty(content))),))
    if depth >= MAX_DEPTH:
        return iter((h("pre", pretty(cast(Json, content))),))
    if isinstance(content, list):
        values = cast("list[Json]", content)
        items = (h("li", *budget.bounded(_parts(each, depth + 1, budget))) for each in values)
        return iter((h("ol", *budget.bounded(items)),))
    members = (_member(key, value, depth, budget) for key, value in cast(JsonObject, content).items())
    return chain.from_iterable(members)


def _member(key: str, value: Json, depth: int, budget: _Budget) -> Iterator[Element]:
    nested = bool(value) and isinstance(value, (dict, list))
    yield h(f"h{min(depth + 3, 6)}", key)
    if nested:
        yield h("div", *budget.bounded(_parts(value, depth + 1, budget)), class_="nested")
    else:
        yield from _parts(value, depth + 1, budget)


def paragraphs(text: str) -> Iterator[Element]:
    """A text line by line. Those after the first are set in, so that no line of it passes for one of the page's own."""
    if not text.strip():
        return iter((h("p", h("code", visible_json(orjson.dumps(text)))),))
    lines = [line for line in text.split("\n") if line]
    return (h("p", _INDENT + line if at else line) for at, line in enumerate(lines))
