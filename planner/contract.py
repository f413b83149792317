"""The caller's output contract as the planner sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planner.planner import JsonObject
from planner.text import as_list
from schemas.contract_schema import effective_schema

_FORMATS = re.compile(r"\b(json|xml|html|csv|tsv|ya?ml|pdf|docx?|pptx?|xlsx?|rtf|png|jpe?g|svg|mp[34])\b")
_MARKDOWN = re.compile(r"\b(markdown|md)\b")


@dataclass(frozen=True, slots=True)
class Contract:
    """An `outputContract` in wire form."""

    wire: JsonObject

    @property
    def mode(self) -> str:
        return self.wire.get("mode") or "json_schema"

    @property
    def facets(self) -> list[str]:
        """The facets asked for; none in the other modes."""
        return [str(name) for name in as_list(self.wire.get("facets"))] if self.mode == "facets" else []

    @property
    def instructions(self) -> str | None:
        """What a freeform contract says of the text."""
        return self.wire.get("instructions") if self.mode == "freeform" else None

    @property
    def markdown(self) -> bool:
        return _MARKDOWN.search(self._expected_format) is not None

    @property
    def foreign_format(self) -> str | None:
        """The file format that a freeform contract names and a text cannot have."""
        found = _FORMATS.search(self._expected_format)
        return found[0] if found else None

    @property
    def _expected_format(self) -> str:
        return str(self.wire.get("expectedFormat") or "").lower() if self.mode == "freeform" else ""

    @property
    def schema(self) -> JsonObject | bool:
        """What the output will be checked against."""
        return effective_schema(self.wire)

    @property
    def schema_path(self) -> str:
        """Where the schema stands in the envelope."""
        return "/outputContract/schema" if self.mode == "json_schema" else "/outputContract"
