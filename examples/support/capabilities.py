"""Support tickets: classify, look up, draft, check against a style guide, send. `people.yaml` has who approves.

They are honest stand-ins with fixed rules; put your own model or service in the place of each.

    flexrun up --load examples/support/capabilities.py
    flexrun capabilities register examples/support/people.yaml
    flexrun plan examples/support/answer.json
"""

from typing import Literal

from pydantic import BaseModel

from flexrun_sdk import capability


class Ticket(BaseModel):
    subject: str
    text: str


class TicketClass(BaseModel):
    category: Literal["billing", "technical", "account"]
    urgent: bool


class HelpArticle(BaseModel):
    title: str
    advice: str


class ReplyDraft(BaseModel):
    greeting: str
    body: str


class StyleReport(BaseModel):
    passed: bool
    remarks: list[str]


class Approval(BaseModel):
    approved: bool
    comments: str


class SentReply(BaseModel):
    reference: str
    text: str


_WORDS = {"billing": ("invoice", "refund", "charge"), "account": ("password", "login", "account")}
_ARTICLES = {
    "billing": HelpArticle(title="Invoices", advice="Invoices can be corrected for thirty days."),
    "account": HelpArticle(title="Signing in", advice="A new password can be set from the sign-in page."),
    "technical": HelpArticle(title="First steps", advice="Starting the device again solves most faults."),
}


@capability(
    id="support.classify",
    kind="structuring",
    facets_out="ticket_class",
    cost={"micros": 200, "currency": "EUR"},
)
def classify(ticket: Ticket) -> TicketClass:
    """Say what a ticket is about, and whether it is urgent."""
    text = f"{ticket.subject} {ticket.text}".lower()
    found = [name for name, words in _WORDS.items() if any(word in text for word in words)]
    category: Literal["billing", "technical", "account"] = "technical"
    if found:
        category = "billing" if found[0] == "billing" else "account"
    return TicketClass(category=category, urgent="!" in text or "urgent" in text)


@capability(id="support.look_up", facets_out="help_article", cost={"micros": 100, "currency": "EUR"})
def look_up(ticket_class: TicketClass) -> HelpArticle:
    """Find the article for a category."""
    return _ARTICLES[ticket_class.category]


@capability(id="support.draft", facets_out="reply_draft", cost={"micros": 3000, "currency": "EUR"})
def draft(ticket: Ticket, help_article: HelpArticle) -> ReplyDraft:
    """Write an answer to a ticket with what an article advises."""
    body = f"You wrote to us about “{ticket.subject}”. {help_article.advice}"
    return ReplyDraft(greeting="Good day", body=body)


@capability(
    id="support.check_style",
    kind="validation",
    facets_out="style_report",
    cost={"micros": 50, "currency": "EUR"},
)
def check_style(reply_draft: ReplyDraft) -> StyleReport:
    """Compare a draft with the style guide: whole sentences, nobody is shouted at."""
    remarks = ["No exclamation marks."] if "!" in reply_draft.body else []
    if not reply_draft.body.rstrip().endswith("."):
        remarks.append("Sentences end with a full stop.")
    return StyleReport(passed=not remarks, remarks=remarks)


@capability(
    id="support.send", facets_out="sent_reply", idempotent=False, cost={"micros": 10, "currency": "EUR"}
)
def send(reply_draft: ReplyDraft, style_report: StyleReport, approval: Approval) -> SentReply:
    """Send a draft that was checked and approved."""
    closing = "" if approval.approved and style_report.passed else " (held back)"
    return SentReply(reference="S-1", text=f"{reply_draft.greeting}. {reply_draft.body}{closing}")
