"""The second page behind a link: the decision as it will be recorded. Only its button decides."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from xml.etree.ElementTree import Element

from aiohttp import web

from eventstore.queries.requests import RequestRow
from gateway.people.link_signer import ApprovalLink
from gateway.people.models import pending_output
from gateway.people.page.html import h, page
from gateway.people.page.question import hidden, proposed_by, seen, thing
from gateway.people.page.readable import document, paragraphs
from runs.accepted_responses import accepted_responses
from runs.event import Json
from schemas.hitl import HitlResponse, ResumeBody

CONFIRMED = "confirmed"
"""The field that makes what a form sends a decision."""
BACK = "back"
"""The field that leads back to the question, with what was typed."""

_SAID = {
    "approval": ("You are about to approve", "Yes, approve", "yes"),
    "rejection": ("You are about to reject", "Yes, reject", "no"),
    "edit": ("You are about to approve what was changed", "Yes, approve the change", "yes"),
    "option": ("You are about to choose", "Yes, this is my choice", "yes"),
    "freeform": ("You are about to answer", "Yes, this is my answer", "yes"),
    "withdraw": ("You are about to take your vote back", "Yes, take it back", "no"),
}


def confirm_page(
    row: RequestRow, link: ApprovalLink, body: ResumeBody, typed: Mapping[str, str]
) -> web.Response:
    """The decision, whose it is, the note and the output again, before it is final."""
    response = body.responses[0]
    title, label, kind = _SAID[response.response_type]
    carried = {name: text for name, text in typed.items() if name not in (CONFIRMED, BACK)} | seen(row)
    return page(
        title,
        h("h1", title),
        h("p", "Nothing is decided yet."),
        _facts(row, link, body, typed),
        *document(thing(row).capitalize(), _output(row, response)),
        h("form", *hidden(carried), id="confirm", method="post"),
        # The button that decides stands above where those of the first page stood: a second tap there goes back.
        h(
            "div",
            h("button", label, type="submit", name=CONFIRMED, value="yes", form="confirm", class_=kind),
            h("button", "Back", type="submit", name=BACK, value="yes", form="confirm"),
            class_="bar final",
        ),
    )


def _facts(row: RequestRow, link: ApprovalLink, body: ResumeBody, typed: Mapping[str, str]) -> Element:
    response = body.responses[0]
    options = dict(accepted_responses(row.subject, row.payload, proposed=row.proposal is not None).options)
    chosen = response.selected_option_id
    facts = {
        "The question": str(row.payload["question"]),
        "Proposed": proposed_by(row.proposal) if response.response_type != "edit" else None,
        "Your choice": options.get(chosen, chosen) if chosen is not None else None,
        "Your answer": response.freeform_text,
        "You decide as": link.actor.name if link.actor.verified else typed.get("operator", "").strip(),
        "Your note": body.note,
    }
    shown = {name: fact for name, fact in facts.items() if fact}
    parts = ((h("dt", name), h("dd", *paragraphs(fact))) for name, fact in shown.items())
    return h("dl", *chain.from_iterable(parts))


def _output(row: RequestRow, response: HitlResponse) -> Json:
    return response.edited_output if response.response_type == "edit" else pending_output(row)
