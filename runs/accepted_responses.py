"""Which responses a request takes: one table for the rules, for the forms, and for the JSON Schema that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import orjson

from contracts.grammar.identity import DEFAULT_DIALECT, dialect_of
from runs.event import Json, JsonObject
from schemas.vocabulary import RequestSubject

MAX_INLINE_CONTRACT_BYTES = 16 * 1024
"""A longer contract is not repeated in the frame of each request; `GET /api/hitl/requests/{id}` has it."""

_MAX_TEXT_CHARS = 10_000
_CONTRACT_URI = "urn:flexrun:contract"
_EMPTY: JsonObject = {"enum": [None]}
_TEXT: JsonObject = {"type": ["string", "null"], "maxLength": _MAX_TEXT_CHARS}
_NAME: JsonObject = {"type": ["string", "null"], "pattern": r"\S", "maxLength": 200}


@dataclass(frozen=True, slots=True)
class AcceptedResponses:
    """What is taken beside a rejection and the withdrawal of a vote, which every request takes.

    `options` has the id and the label of each option, `thing` is what an edit replaces.
    """

    approval: bool
    edit: bool
    freeform: bool
    options: tuple[tuple[str, str], ...] = ()
    thing: str = "output"

    def has_option(self, option_id: str | None) -> bool:
        return any(option_id == known for known, _ in self.options)

    def prompt(self) -> str:
        """One sentence that says what may be answered."""
        ways = [
            *(["approve"] if self.approval else []),
            "reject",
            *([f"choose one of: {', '.join(label for _, label in self.options)}"] if self.options else []),
            *(["answer in your own words"] if self.freeform else []),
            *([f"send another {self.thing}"] if self.edit else []),
        ]
        sentence = ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])} or {ways[-1]}"
        return f"{sentence[0].upper()}{sentence[1:]}."


def accepted_responses(
    subject: RequestSubject, payload: JsonObject, *, proposed: bool = False
) -> AcceptedResponses:
    """What a request about `subject` takes; `proposed` says that there is an edit or an answer to agree with."""
    about_a_node = subject in ("node", "clarify")
    options: list[JsonObject] = payload.get("options") or []
    return AcceptedResponses(
        approval=subject != "clarify" or proposed,
        edit=subject in ("output", "node", "plan"),
        freeform=about_a_node and bool(payload.get("allowFreeForm")),
        options=tuple((str(each["id"]), str(each["label"])) for each in options) if about_a_node else (),
        thing="plan" if subject == "plan" else "output",
    )


def inline_contract(contract: Json) -> bool:
    """Whether a contract is short enough to stand in every frame that is about it."""
    return contract is not None and len(orjson.dumps(contract)) <= MAX_INLINE_CONTRACT_BYTES


def response_schema(answers: AcceptedResponses, contract: Json = None) -> JsonObject:
    """The JSON Schema of the responses that are taken, in the contract's dialect.

    Without a `contract` an edited output may be anything here; the server checks it all the same.
    """
    edited, more = _edited_output(contract)
    return {
        "$schema": _dialect(contract),
        "title": "Response",
        "description": answers.prompt(),
        "type": "object",
        "properties": {
            "requestId": _NAME,
            "freeformText": _TEXT,
            "expectedProposalId": _NAME,
            "expectedOutputHash": _NAME,
        },
        "required": ["responseType"],
        "oneOf": _forms(answers, edited),
        **more,
    }


def _forms(answers: AcceptedResponses, edited: JsonObject) -> list[JsonObject]:
    chosen = {"oneOf": [{"title": label, "enum": [option_id]} for option_id, label in answers.options]}
    words: JsonObject = {"type": "string", "pattern": r"\S", "maxLength": _MAX_TEXT_CHARS}
    forms: list[JsonObject] = []
    if answers.approval:
        forms.append(_form("Approve", "approval", approved=True))
    forms.append(_form("Reject", "rejection", approved=False))
    if answers.options:
        forms.append(_form("Choose", "option", selectedOptionId=chosen))
    if answers.freeform:
        forms.append(_form("Answer", "freeform", freeformText=words))
    if answers.edit:
        forms.append(_form(f"Change the {answers.thing}", "edit", approved=True, editedOutput=edited))
    return [*forms, _form("Take a vote back", "withdraw", approved=False)]


def _form(
    title: str, response_type: str, *, approved: bool | None = None, **needed: JsonObject
) -> JsonObject:
    """One kind of response: what it must carry, and nothing that only another kind may."""
    said: JsonObject = {} if approved is None else {"approved": {"enum": [approved, None]}}
    own: JsonObject = {"responseType": {"enum": [response_type]}, **said}
    others = {key: _EMPTY for key in ("selectedOptionId", "editedOutput") if key not in needed}
    return {"title": title, "properties": {**own, **others, **needed}, "required": ["responseType", *needed]}


def _dialect(contract: Json) -> str:
    named = cast("dict[str, Any]", contract).get("$schema") if isinstance(contract, dict) else None
    return named if isinstance(named, str) else DEFAULT_DIALECT


def _edited_output(contract: Json) -> tuple[JsonObject, JsonObject]:
    """The schema of an edited output, and what has to stand at the root beside it.

    A contract that refers to its own parts keeps them: it becomes a resource of its own, with a name.
    """
    if not isinstance(contract, dict):
        return ({"not": {}} if contract is False else {}), {}
    schema = {key: value for key, value in cast(JsonObject, contract).items() if key != "$schema"}
    if b'Ref"' not in (text := orjson.dumps(schema)) and b'$ref"' not in text:
        return schema, {}
    dialect = dialect_of(cast(JsonObject, contract)) or DEFAULT_DIALECT
    name = "id" if "draft-04" in dialect else "$id"
    place = "definitions" if "draft-0" in dialect else "$defs"
    schema = {name: _CONTRACT_URI, **schema}
    return {"$ref": schema[name]}, {place: {"contract": schema}}
