"""The page behind a link: the question, what is to be decided on, and the forms to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

import orjson
from aiohttp import web

from eventstore.queries import RequestRow
from gateway.hitl.html import h, page
from gateway.hitl.links import Link
from gateway.shown import shown_request
from runs.answers import answers_to
from runs.event import Json, JsonObject, rfc3339
from schemas.problem import Located
from schemas.visible import visible, visible_json

_DECISIONS = {
    "approved": "approved",
    "rejected": "rejected",
    "edited": "approved with changes",
    "answered": "answered",
    "expired": "not decided in time",
    "removed": "taken back",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what was sent is not taken, and what was typed, so that nobody has to type it again."""

    detail: str
    errors: Sequence[Located] = ()
    typed: Mapping[str, str] = field(default_factory=dict[str, str])


def plain_page(title: str, text: str, status: int) -> web.Response:
    """A page that only says something."""
    return page(title, h("h1", title), h("p", text), status=status)


def decided_page(row: RequestRow, status: int) -> web.Response:
    """What became of the request: a link is good for one decision."""
    if row.decision is None:
        title, text = "Nothing to decide any more", f"The run is {row.run_status}."
    else:
        title = f"This was {_DECISIONS.get(row.decision, row.decision)}"
        when = f" at {rfc3339(row.resolved_at)}" if row.resolved_at is not None else ""
        text = f"By {row.operator}{when}. The run is {row.run_status}."
    noted = h("p", "Note: ", row.note) if row.note else None
    question = str(row.payload["question"])
    return page(
        title, h("h1", title), h("p", text), noted, h("h2", "The question"), h("p", question), status=status
    )


def voted_page(row: RequestRow) -> web.Response:
    """The voice of this person is in the log, and others are still needed."""
    count, quorum = len(row.votes), row.rules.get("quorum", 1)
    return plain_page("This was recorded", f"{count} of {quorum} have approved so far.", 200)


def question_page(row: RequestRow, link: Link, refusal: Refusal | None, status: int) -> web.Response:
    """The question with its forms; after a refusal, with the reasons and what was typed."""
    question = str(row.payload["question"])
    return page(
        question,
        _alert(refusal) if refusal is not None else None,
        h("h1", question),
        _facts(row, link),
        *_document("Output", _pending_output(row)),
        *_document("Context", row.payload.get("additionalContext")),
        *_forms(row, link, refusal.typed if refusal is not None else dict[str, str]()),
        status=status,
    )


def _pending_output(row: RequestRow) -> Json:
    return shown_request(row)["pendingOutput"]


def _alert(refusal: Refusal) -> Element:
    items = [h("li", h("code", each.pointer or "/"), " ", each.message) for each in refusal.errors]
    listed = h("ul", *items) if items else None
    return h("div", h("h2", "This was not taken"), h("p", refusal.detail), listed, role="alert")


def _facts(row: RequestRow, link: Link) -> Element:
    facts: dict[str, str | None] = {
        "Task": row.objective,
        "Run": row.run_id,
        "Asked": rfc3339(row.created_at),
        "To be decided until": rfc3339(row.expires_at) if row.expires_at is not None else None,
        "This link is good until": rfc3339(link.expires_at),
        "You decide as": link.actor.name if link.actor.verified else None,
        "Proposed": _proposed(row.proposal),
        "Votes so far": ", ".join(str(vote["operator"]) for vote in row.votes) or None,
    }
    shown = {name: fact for name, fact in facts.items() if fact is not None}
    return h("dl", *(part for name, fact in shown.items() for part in (h("dt", name), h("dd", fact))))


def _proposed(proposal: JsonObject | None) -> str | None:
    """Who proposed what an approval would say yes to, where that is not what was asked at first."""
    if proposal is None:
        return None
    said = {"edit": "another output, which is shown here", "option": f"option {proposal.get('optionId')}"}
    return f"{said.get(proposal['responseType'], proposal.get('text'))}, by {proposal['operator']}"


def _document(title: str, document: Json) -> list[Element]:
    if document is None:
        return []
    return [h("h2", title), h("pre", _pretty(document), tabindex="0")]


def _pretty(document: Json) -> str:
    return visible_json(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _forms(row: RequestRow, link: Link, typed: Mapping[str, str]) -> list[Element]:
    forms: list[Element] = []
    proposed = row.proposal is not None
    answers = answers_to(row.subject, row.payload, proposed=proposed)
    # Where there are options one of them says yes, until somebody has proposed something to say yes to.
    if answers.approval and (proposed or not answers.options):
        forms.append(_approve_or_reject(row, link, typed))
    if answers.options:
        forms.append(_choose(answers.options, link, typed))
    if answers.freeform:
        forms.append(_answer(link, typed))
    if answers.edit:
        forms.append(_edit(row, link, typed))
    if row.votes or row.proposal is not None:
        forms.append(_form("Take your vote back", link, typed, _button("Withdraw", "withdraw")))
    return forms


def _form(legend: str, link: Link, typed: Mapping[str, str], *fields: Element) -> Element:
    name = None if link.actor.verified else _input("operator", legend, "Your name", typed)
    return h("form", h("fieldset", h("legend", legend), name, *fields), method="post")


def _approve_or_reject(row: RequestRow, link: Link, typed: Mapping[str, str]) -> Element:
    # What is approved is what is read: the form says which proposal its reader has seen.
    proposal_id = row.proposal["id"] if row.proposal is not None else "0"
    return _form(
        "Approve or reject",
        link,
        typed,
        h("input", type="hidden", name="proposal", value=proposal_id),
        _input("note", "decide", "A note, or the reason", typed),
        _button("Approve", "approval"),
        _button("Reject", "rejection"),
    )


def _choose(options: Sequence[tuple[str, str]], link: Link, typed: Mapping[str, str]) -> Element:
    buttons = [
        h("button", label, type="submit", name="selectedOptionId", value=option_id)
        for option_id, label in options
    ]
    hidden = h("input", type="hidden", name="responseType", value="option")
    return _form("Choose", link, typed, hidden, _input("note", "choose", "A note", typed), *buttons)


def _answer(link: Link, typed: Mapping[str, str]) -> Element:
    text = _textarea("freeformText", "Your answer", typed.get("freeformText", ""), rows="4")
    return _form("Answer in your own words", link, typed, text, _button("Answer", "freeform"))


def _edit(row: RequestRow, link: Link, typed: Mapping[str, str]) -> Element:
    text = visible_json(typed.get("editedOutput") or _pretty(_pending_output(row)))
    return _form(
        "Change the output, and approve it so",
        link,
        typed,
        _textarea("editedOutput", "The output as JSON", text, rows="16"),
        _input("note", "edit", "A note", typed),
        _button("Save and approve", "edit"),
    )


def _button(label: str, response_type: str) -> Element:
    return h("button", label, type="submit", name="responseType", value=response_type)


def _input(name: str, form: str, label: str, typed: Mapping[str, str]) -> Element:
    identity = f"{name}-{form}".replace(" ", "-")
    value = visible(typed.get(name, ""))
    control = h(
        "input", type="text", id=identity, name=name, value=value, maxlength="2000", autocomplete="off"
    )
    return h("p", h("label", label, for_=identity), control)


def _textarea(name: str, label: str, text: str, *, rows: str) -> Element:
    control = h("textarea", "\n" + text, id=name, name=name, rows=rows, spellcheck="false")
    return h("p", h("label", label, for_=name), control)
