"""The words in which existing agents describe themselves, as a descriptor.

`capabilityId`, `displayName` and `summary` are `id`, `label` and `description`; `inputContract` and `outputContract`
are facets or a schema, as the contract of an envelope is; `heartbeat` is `{intervalSeconds}`. What a descriptor has no
word for stays in `metadata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from runs.event import JsonObject
from schemas.base import json_type
from schemas.contract_schema import FREEFORM_SCHEMA
from schemas.refusal import FieldProblem
from schemas.spelling import suggest

MARK = "capabilityId"
"""The key by which a description in these words is known."""

_SAME = {"capabilityId": "id", "displayName": "label", "summary": "description"}
_CONTRACTS = {"inputContract": ("facetsIn", "inputSchema"), "outputContract": ("facetsOut", "outputSchema")}
_COST = frozenset({"micros", "currency", "tokens", "seconds"})
_MODES = ("facets", "json_schema", "freeform")


@dataclass(slots=True)
class Translated:
    """A descriptor, and where each of its places stands in the words that it was sent in."""

    document: JsonObject
    places: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[FieldProblem] = field(default_factory=list[FieldProblem])

    def as_sent(self, pointer: str) -> str:
        """The place in what was sent, for a place in the descriptor."""
        for ours, theirs in self.places.items():
            if pointer == ours or pointer.startswith(ours + "/"):
                return theirs + pointer[len(ours) :]
        return pointer


def translate(sent: Mapping[str, Any]) -> Translated:
    """The descriptor that `sent` means; what is not in the words of agents stays as it is."""
    made = Translated(dict(sent))
    if MARK not in sent:
        return made
    for theirs, ours in _SAME.items():
        _rename(made, theirs, ours)
    for theirs, (facets, schema) in _CONTRACTS.items():
        if theirs in sent:
            _contract(made, theirs, facets, schema)
    _heartbeat(made)
    _cost(made)
    return made


def _rename(made: Translated, theirs: str, ours: str) -> None:
    made.places.setdefault("/" + ours, "/" + theirs)
    if theirs not in made.document:
        return
    value = made.document.pop(theirs)
    if _is_free(made, theirs, ours):
        made.document[ours] = value


def _is_free(made: Translated, theirs: str, ours: str) -> bool:
    if ours not in made.document:
        return True
    made.problems.append(
        FieldProblem("repeated", "/" + theirs, f"'{ours}' says the same; leave one of them out.")
    )
    return False


def _contract(made: Translated, theirs: str, facets: str, schema: str) -> None:
    contract = made.document.pop(theirs)
    if not isinstance(contract, dict):
        message = f"This must be an object, not {json_type(contract)}."
        made.problems.append(FieldProblem("wrong_type", "/" + theirs, message))
        return
    said = cast("dict[str, Any]", contract)
    mode = said.get("mode", "facets" if "facets" in said else "json_schema" if "schema" in said else None)
    if mode == "freeform":
        _put(made, theirs, schema, FREEFORM_SCHEMA)
    elif mode in _MODES:
        key, ours = ("facets", facets) if mode == "facets" else ("schema", schema)
        if key in said:
            _put(made, f"{theirs}/{key}", ours, said[key])
        else:
            made.problems.append(FieldProblem("missing", f"/{theirs}/{key}", "This is required."))
    else:
        nearest = suggest(mode, _MODES) if isinstance(mode, str) else ""
        message = f"There is no such mode; use one of {', '.join(_MODES)}{nearest or '.'}"
        made.problems.append(FieldProblem("unknown_mode", f"/{theirs}/mode", message))


def _put(made: Translated, theirs: str, ours: str, value: Any) -> None:
    made.places["/" + ours] = "/" + theirs
    if _is_free(made, theirs, ours):
        made.document[ours] = value


def _heartbeat(made: Translated) -> None:
    heartbeat = made.document.pop("heartbeat", None)
    if heartbeat is None:
        return
    if isinstance(heartbeat, dict):
        said = cast("dict[str, Any]", heartbeat)
        if "intervalSeconds" in said:
            _put(made, "heartbeat/intervalSeconds", "heartbeatSeconds", said["intervalSeconds"])
        _keep(made, "heartbeat", {key: each for key, each in said.items() if key != "intervalSeconds"})
    else:
        _put(made, "heartbeat", "heartbeatSeconds", heartbeat)


def _cost(made: Translated) -> None:
    cost = made.document.get("cost")
    if not isinstance(cost, dict):
        return
    said = cast("dict[str, Any]", cost)
    others = {key: each for key, each in said.items() if key not in _COST}
    if others:
        made.document["cost"] = {key: each for key, each in said.items() if key in _COST}
        _keep(made, "cost", others)


def _keep(made: Translated, key: str, value: JsonObject) -> None:
    metadata = made.document.get("metadata", {})
    if value and isinstance(metadata, dict):
        made.document["metadata"] = {key: value, **cast("dict[str, Any]", metadata)}
