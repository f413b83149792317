"""The page behind a link: the question, what is to be decided on, and the forms to decide.

What a form sends decides nothing yet: it leads to a second page that shows the decision again (`confirm.py`).
No key decides by accident: the first button of a form, which is the one that Enter presses, is disabled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from aiohttp import web

from eventstore.queries.requests import RequestRow
from gateway.people.link_signer import ApprovalLink
from gateway.people.models import output_hash, pending_output
from gateway.people.page.html import h, page
from gateway.people.page.readable import document, paragraphs, pretty
from runs.accepted_responses import accepted_responses
from runs.event import Json, JsonObject
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
class PageError:
    """Why what was sent is not taken."""

    detail: str
    errors: Sequence[Located] = ()


def plain_page(title: str, text: str, status: int) -> web.Response:
    """A page that only says something."""
    return page(title, h("h1", title), h("p", text), status=status)


def decided_page(row: RequestRow, output: Json, status: int) -> web.Response:
    """What became of the request, and the output that it was about: a link is good for one decision."""
    if row.decision is None:
        title, text = "Nothing to decide any more", f"The run is {row.run_status}."
    else:
        title = f"This was {_DECISIONS.get(row.decision, row.decision)}"
        when = f" on {readable_time(row.resolved_at)}" if row.resolved_at is not None else ""
        text = f"By {row.operator}{when}. The run is {row.run_status}."
    noted = h("div", h("h2", "The note"), *paragraphs(row.note)) if row.note else None
    question = str(row.payload["question"])
    heading = "What was approved" if row.decision in ("approved", "edited") else "What it was about"
    return page(
        title,
        h("h1", title),
        h("p", text),
        noted,
        h("h2", "The question"),
        h("p", question),
        *document(heading, output),
        status=status,
    )


def voted_page(row: RequestRow) -> web.Response:
    """The voice of this person is in the log, and others are still needed."""
    count, quorum = len(row.votes), row.rules.get("quorum", 1)
    return plain_page("This was recorded", f"{count} of {quorum} have approved so far.", 200)


def question_page(
    row: RequestRow,
    link: ApprovalLink,
    typed: Mapping[str, str],
    refusal: PageError | None = None,
    status: int = 200,
) -> web.Response:
    """The question with its forms, filled with what was typed; after a refusal, with the reasons."""
    question = str(row.payload["question"])
    return page(
        question,
        _alert(refusal) if refusal is not None else None,
        h("h1", question),
        _facts(row, link),
        *document(thing(row).capitalize(), pending_output(row)),
        *document("Context", row.payload.get("additionalContext")),
        *_forms(row, link, typed),
        _bar(row),
        status=status,
    )


def thing(row: RequestRow) -> str:
    """What the request shows, and what an edit replaces: `output` or `plan`."""
    return accepted_responses(row.subject, row.payload).thing


def readable_time(moment: datetime) -> str:
    """A time for people, to the minute."""
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def seen(row: RequestRow) -> dict[str, str]:
    """What is proposed, as the forms carry it: what is decided on is what was read."""
    proposal_id = row.proposal["id"] if row.proposal is not None else "0"
    shown = output_hash(row)
    return {"proposal": proposal_id, **({"output": shown} if shown is not None else {})}


def hidden(fields: Mapping[str, str]) -> list[Element]:
    """Hidden fields of a form."""
    return [h("input", type="hidden", name=name, value=value) for name, value in fields.items()]


def _alert(refusal: PageError) -> Element:
    items = [h("li", h("code", each.pointer or "/"), " ", each.message) for each in refusal.errors]
    listed = h("ul", *items) if items else None
    return h("div", h("h2", "This was not taken"), h("p", refusal.detail), listed, role="alert")


def _facts(row: RequestRow, link: ApprovalLink) -> Element:
    facts: dict[str, str | None] = {
        "Task": row.objective,
        "Run": row.run_id,
        "Asked": readable_time(row.created_at),
        "To be decided until": readable_time(row.expires_at) if row.expires_at is not None else None,
        "This link is good until": readable_time(link.expires_at),
        "You decide as": link.actor.name if link.actor.verified else None,
        "Proposed": proposed_by(row.proposal),
        "Votes so far": ", ".join(str(vote["operator"]) for vote in row.votes) or None,
    }
    shown = {name: fact for name, fact in facts.items() if fact is not None}
    return h("dl", *(part for name, fact in shown.items() for part in (h("dt", name), h("dd", fact))))


def proposed_by(proposal: JsonObject | None) -> str | None:
    """Who proposed what an approval would say yes to, where that is not what was asked at first."""
    if proposal is None:
        return None
    said = {"edit": "another one, which is shown here", "option": f"option {proposal.get('optionId')}"}
    return f"{said.get(proposal['responseType'], proposal.get('text'))}, by {proposal['operator']}"


def _approvable(row: RequestRow) -> bool:
    """Where there are options one of them says yes, until there is a proposal to say yes to."""
    answers = accepted_responses(row.subject, row.payload, proposed=row.proposal is not None)
    return answers.approval and (row.proposal is not None or not answers.options)


def _bar(row: RequestRow) -> Element:
    """What stays in sight however long the output is."""
    if not _approvable(row):
        return h("div", h("a", "Go to your answer", href="#decide", class_="go"), class_="bar")
    return h(
        "div",
        _button("Approve …", "approval", class_="yes", form="decide"),
        _button("Reject …", "rejection", class_="no", form="decide"),
        class_="bar",
    )


def _forms(row: RequestRow, link: ApprovalLink, typed: Mapping[str, str]) -> list[Element]:
    forms: list[Element] = []
    answers = accepted_responses(row.subject, row.payload, proposed=row.proposal is not None)
    if _approvable(row):
        note = _note("decide", "A note, or the reason", typed)
        forms.append(_form("Approve or reject", link, typed, *hidden(seen(row)), note))
    if answers.options:
        forms.append(_choose(answers.options, link, typed))
    if answers.freeform:
        forms.append(_answer(link, typed))
    if answers.edit:
        forms.append(_edit(row, link, typed))
    if row.votes or row.proposal is not None:
        forms.append(_form("Take your vote back", link, typed, _button("Withdraw …", "withdraw")))
    if forms:
        forms[0].set("id", "decide")
    return forms


def _form(legend: str, link: ApprovalLink, typed: Mapping[str, str], *fields: Element) -> Element:
    # Enter presses the first button of a form; where that is disabled it does nothing.
    guard = h("button", type="submit", disabled="disabled", hidden="hidden")
    name = None if link.actor.verified else _name(legend, typed)
    return h("form", guard, h("fieldset", h("legend", legend), name, *fields), method="post")


def _choose(options: Sequence[tuple[str, str]], link: ApprovalLink, typed: Mapping[str, str]) -> Element:
    buttons = [
        h("button", label, type="submit", name="selectedOptionId", value=option_id)
        for option_id, label in options
    ]
    kind = hidden({"responseType": "option"})
    return _form("Choose", link, typed, *kind, _note("choose", "A note", typed), *buttons)


def _answer(link: ApprovalLink, typed: Mapping[str, str]) -> Element:
    text = _textarea("freeformText", "Your answer", typed.get("freeformText", ""), rows="4")
    return _form("Answer in your own words", link, typed, text, _button("Answer …", "freeform"))


def _edit(row: RequestRow, link: ApprovalLink, typed: Mapping[str, str]) -> Element:
    text = visible_json(typed.get("editedOutput") or pretty(pending_output(row)))
    form = _form(
        f"Change the {thing(row)}, and approve it so",
        link,
        typed,
        *hidden(seen(row)),
        _textarea("editedOutput", f"The {thing(row)} as JSON", text, rows="16", class_="json"),
        _note("edit", "A note", typed),
        _button("Save and approve …", "edit"),
    )
    opened = {"open": "open"} if "editedOutput" in typed else {}
    return h("details", h("summary", f"Change the {thing(row)}"), form, **opened)


def _button(label: str, response_type: str, **attributes: str) -> Element:
    return h("button", label, type="submit", name="responseType", value=response_type, **attributes)


def _name(legend: str, typed: Mapping[str, str]) -> Element:
    identity = f"operator-{legend}".replace(" ", "-")
    value = visible(typed.get("operator", ""))
    attributes = {"name": "operator", "value": value, "maxlength": "200", "required": "required"}
    control = h("input", type="text", id=identity, autocomplete="name", **attributes)
    return h("p", h("label", "Your name", for_=identity), control)


def _note(form: str, label: str, typed: Mapping[str, str]) -> Element:
    text = visible(typed.get("note", ""), block=True)
    return _textarea("note", label, text, rows="3", id=f"note-{form}", maxlength="2000")


def _textarea(name: str, label: str, text: str, *, rows: str, **attributes: str) -> Element:
    identity = attributes.pop("id", name)
    control = h("textarea", "\n" + text, id=identity, name=name, rows=rows, spellcheck="false", **attributes)
    return h("p", h("label", label, for_=identity), control)
