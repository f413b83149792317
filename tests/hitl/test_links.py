"""Links: each decides one request, once, for a time; only some callers may make one."""

import asyncio
import base64
import html
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from runs.commands import FailNode
from schemas.visible import has_hidden
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import ANN, SUE, TOKENS, WRONG, Waiting, asked, waiting_for_approval
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
MAILER = "Bearer token-of-mailer"
EVIL = "<script>alert('x')</script>\"'&"


async def link_to(waiting: Waiting, *, by: str | None = None, **more: Any) -> str:
    """The path of a new link."""
    headers = {"Authorization": by} if by is not None else {}
    body = {"requestId": waiting.request_id, **more}
    answer, made = await waiting.gateway.post("/api/hitl/link", body, **headers)
    assert answer.status == 201, made
    return urlsplit(made["url"]).path


async def look(gateway: RunningGateway, path: str) -> tuple[aiohttp.ClientResponse, str]:
    async with gateway.http.get(gateway.url + path) as answer:
        return answer, await answer.text()


async def send(gateway: RunningGateway, path: str, **form: str) -> tuple[int, str]:
    """Send a form of the page, signed by zoe and confirmed unless it says otherwise."""
    sent = {"operator": "zoe", "confirmed": "yes", **form}
    async with gateway.http.post(gateway.url + path, data={k: v for k, v in sent.items() if v}) as answer:
        return answer.status, await answer.text()


class Page(HTMLParser):
    """The parts of a page that a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if "name" in given and tag != "meta":
            self.names.append((given["name"] or "", given.get("value") or ""))


async def test_a_link_shows_the_question_and_looking_decides_nothing(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting, **{"for": "ann"})
    before = await waiting.types()
    for _ in range(3):
        answer, text = await look(gateway, path)
        assert answer.status == 200
    async with gateway.http.head(gateway.url + path) as head:
        assert head.status == 200
    assert "Approve the output of: Say hello" in text
    assert html.escape('"text": "hello"', quote=False) in text
    assert ("responseType", "approval") in Page(text).names
    assert await waiting.types() == before


async def test_the_page_loads_and_runs_nothing(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    answer, text = await look(gateway, await link_to(waiting))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none';"
    )
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.content_type == "text/html"
    assert not {"script", "img", "link", "iframe"} & set(Page(text).tags)


async def test_whatever_a_run_says_is_text_on_the_page(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(objective=EVIL))
    await run.planned()
    await run.start()
    options = ({"id": EVIL, "label": EVIL},)
    waiting = await asked(gateway, run, "a", question=EVIL, options=options, additional_context={EVIL: EVIL})
    path = await link_to(waiting)
    _, text = await look(gateway, path)
    page = Page(text)
    assert "script" not in page.tags
    assert ("selectedOptionId", EVIL) in page.names
    status, text = await send(gateway, path, responseType="freeform", freeformText=EVIL, operator=EVIL)
    assert status == 200
    assert "script" not in Page(text).tags
    assert (await gateway.store.load(run.run_id)).nodes["a"].answers[0].get("text") == EVIL


async def test_a_decision_by_link_is_an_event_with_the_name_that_the_link_carries(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway, approvers=["ann"])
    path = await link_to(waiting, **{"for": "ann"})
    status, text = await send(gateway, path, responseType="approval", note="by mail", operator="mallory")
    assert status == 200
    assert "This was approved" in text
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["operator"], resolved.payload["note"]) == ("ann", "by mail")
    assert resolved.detail == {"claimedOperator": "mallory"}
    assert await waiting.status() == "completed"


async def test_a_link_is_good_for_one_decision_and_then_shows_it(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path, other = await link_to(waiting), await link_to(waiting)
    assert (await send(gateway, path, responseType="rejection", operator="ann", note="no"))[0] == 200
    for each in (path, other):
        answer, text = await look(gateway, each)
        assert answer.status == 410
        assert "This was rejected" in text
        assert "By ann" in text
        assert "form" not in Page(text).tags
        status, text = await send(gateway, each, responseType="approval")
        assert (status, "This was rejected" in text) == (409, True)
    assert len(await waiting.events("hitl_resolved")) == 1


async def test_two_clicks_at_once_are_one_decision(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    statuses = await asyncio.gather(
        *(send(gateway, path, responseType=each) for each in ("approval", "rejection") * 4)
    )
    assert sorted(status for status, _ in statuses) == [200] + [409] * 7
    assert len(await waiting.events("hitl_resolved")) == 1


async def test_a_link_ends_with_its_time_and_never_after_the_request(start_gateway: Start) -> None:
    clock = {"now": datetime.now(UTC)}
    gateway = await start_gateway(clock=lambda: clock["now"])
    waiting = await waiting_for_approval(gateway, expiresInSeconds=600)
    short = await link_to(waiting, expiresInSeconds=60)
    long = await link_to(waiting, expiresInSeconds=3600)
    clock["now"] += timedelta(seconds=61)
    answer, text = await look(gateway, short)
    assert (answer.status, "This link has expired" in text) == (410, True)
    assert (await send(gateway, short, responseType="approval"))[0] == 410
    assert (await look(gateway, long))[0].status == 200
    clock["now"] += timedelta(seconds=600)
    assert (await look(gateway, long))[0].status == 410
    assert await waiting.events("hitl_resolved") == []


@pytest.mark.parametrize("harm", ["payload", "signature", "cut", "empty", "other", "not-ascii", "stretched"])
async def test_a_link_that_was_changed_is_not_known(gateway: RunningGateway, harm: str) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting, **{"for": "ann"})
    token = path.removeprefix("/hitl/")
    body, _, mac = token.partition(".")
    forged = ("B" if body[0] == "A" else "A") + body[1:]
    harmed = {
        "payload": f"{forged}.{mac}",
        "signature": f"{body}.{mac[:-2]}AA",
        "cut": token[:-5],
        "empty": ".",
        "other": "nothing",
        "not-ascii": "%C3%A9" + token,
        "stretched": token + "A" * 5000,
    }[harm]
    answer, _ = await look(gateway, f"/hitl/{harmed}")
    assert answer.status == 404
    assert (await send(gateway, f"/hitl/{harmed}", responseType="approval"))[0] == 404
    assert await waiting.status() == "awaiting_hitl"


async def test_every_gateway_of_a_database_knows_its_links_and_a_configured_secret_separates_them(
    start_gateway: Start,
) -> None:
    here, there = await start_gateway(), await start_gateway()
    path = await link_to(await waiting_for_approval(here))
    assert (await look(there, path))[0].status == 200
    own, same, other = [
        await start_gateway(link_secret=secret) for secret in ("one" * 11, "one" * 11, "two" * 11)
    ]
    path = await link_to(await waiting_for_approval(own))
    assert (await look(same, path))[0].status == 200
    assert (await look(other, path))[0].status == 404
    assert (await look(here, path))[0].status == 404


async def test_an_edit_by_link_that_breaks_the_contract_is_shown_with_the_errors_and_what_was_typed(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    for typed, said in ((orjson.dumps(WRONG).decode(), "must have required property"), ("{oops", "not JSON")):
        status, text = await send(gateway, path, responseType="edit", editedOutput=typed, note="mine")
        assert status in (400, 422)
        assert said in html.unescape(text)
        assert typed in html.unescape(text)
        assert "mine</textarea>" in text
    good = orjson.dumps({"text": "better"}).decode()
    assert (await send(gateway, path, responseType="edit", editedOutput=good))[0] == 200
    assert (await waiting.events("complete"))[0].payload["output"] == {"text": "better"}


async def test_a_failed_node_can_be_tried_again_by_link(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a", contract={"maxAttempts": 1, "fallback": "hitl"}))
    await run.start()
    outcome = await run.do(FailNode, node_id="a", attempt=1, error_code="boom", message="it broke")
    waiting = Waiting(gateway, run.run_id, outcome.state.open_requests[0].id)
    path = await link_to(waiting)
    _, text = await look(gateway, path)
    assert {("selectedOptionId", "retry"), ("selectedOptionId", "fail")} <= set(Page(text).names)
    assert (await send(gateway, path, responseType="option", selectedOptionId="retry"))[0] == 200
    assert await waiting.status() == "running"


async def test_what_no_form_sends_is_refused(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    for form in ({}, {"responseType": "shrug"}, {"selectedOptionId": "zz"}):
        status, text = await send(gateway, path, **form)
        assert (status in (400, 422), "This was not taken" in text) == (True, True), form
    assert await waiting.status() == "awaiting_hitl"


async def test_with_tokens_the_page_needs_none_and_making_links_does(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, approvers=["editor", "legal"])
    body = {"requestId": waiting.request_id}
    assert (await gateway.post("/api/hitl/link", body))[0].status == 401
    own = await link_to(waiting, by=ANN)
    assert (await look(gateway, own))[0].status == 200
    for by, name in ((ANN, "bob"), (SUE, "legal")):
        answer, problem = await gateway.post("/api/hitl/link", {**body, "for": name}, Authorization=by)
        assert (answer.status, problem["code"]) == (403, "not_allowed")
    answer, problem = await gateway.post("/api/hitl/link", body, Authorization=SUE)
    assert (answer.status, problem["code"]) == (403, "not_allowed")
    bobs = await link_to(waiting, by=MAILER, **{"for": "bob"})
    assert (await send(gateway, bobs, responseType="approval", operator="sue"))[0] == 200
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["operator"], resolved.detail) == ("bob", {"claimedOperator": "sue"})


async def test_a_quorum_takes_one_voice_from_each_link(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, quorum=2)
    anns, bobs = [await link_to(waiting, by=MAILER, **{"for": name}) for name in ("ann", "bob")]
    status, text = await send(gateway, anns, responseType="approval")
    assert (status, "1 of 2" in text) == (200, True)
    assert (await send(gateway, anns, responseType="approval"))[0] == 403
    assert (await waiting.respond("approval", by=ANN))[0] == 403
    assert (await send(gateway, bobs, responseType="approval"))[0] == 200
    assert await waiting.status() == "completed"


async def test_no_log_line_shows_a_link(gateway: RunningGateway, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    await look(gateway, path)
    await send(gateway, path, responseType="approval")
    said = capsys.readouterr()
    assert "/hitl/…" in said.out + said.err
    assert path not in said.out + said.err


async def test_there_is_no_link_to_what_is_decided_or_unknown(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    await waiting.respond("approval")
    answer, problem = await gateway.post("/api/hitl/link", {"requestId": waiting.request_id})
    assert (answer.status, problem["code"]) == (409, "request_resolved")
    assert (await gateway.post("/api/hitl/link", {"requestId": "nobody"}))[0].status == 404
    over = await waiting_for_approval(gateway)
    path = await link_to(over)
    await gateway.post(f"{API}/runs/{over.run_id}/abort", {})
    answer, text = await look(gateway, path)
    assert (answer.status, "Nothing to decide any more" in text) == (410, True)


async def test_the_link_names_the_address_where_people_reach_the_gateway(start_gateway: Start) -> None:
    gateway = await start_gateway(public_url="https://flexrun.example/")
    waiting = await waiting_for_approval(gateway)
    _, made = await gateway.post("/api/hitl/link", {"requestId": waiting.request_id, "for": "ann"})
    assert made["url"].startswith("https://flexrun.example/hitl/")
    assert made["for"] == "ann"


def outdated(run_id: str, request_id: str) -> str:
    """A link as an earlier release made it."""
    payload = orjson.dumps(
        {"r": run_id, "q": request_id, "e": 4_000_000_000, "n": "ann", "o": ["editor"], "v": True}
    )
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode() + "." + "A" * 43


async def test_a_link_of_an_earlier_release_is_refused_in_words(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path = f"/hitl/{outdated(waiting.run_id, waiting.request_id)}"
    answer, text = await look(gateway, path)
    assert (answer.status, "This link is too old" in text) == (410, True)
    assert (await send(gateway, path, responseType="approval"))[0] == 410
    assert await waiting.status() == "awaiting_hitl"


async def test_a_person_whose_token_is_gone_decides_nothing_by_an_old_link(start_gateway: Start) -> None:
    before = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(before, by=SUE, approvers=["editor"])
    path = await link_to(waiting, by=ANN)
    removed = await start_gateway(tokens="token-of-bob=bob:legal;token-of-sue=sue")
    for status, text in (await send(removed, path, responseType="approval"), await status_of(removed, path)):
        assert (status, "ann, who has no access here any more" in text) == (403, True)
    demoted = await start_gateway(tokens="token-of-ann=ann:guest;token-of-sue=sue")
    assert (await send(demoted, path, responseType="approval"))[0] == 403, "no role is frozen in a link"
    assert await waiting.status() == "awaiting_hitl"
    assert (await send(before, path, responseType="approval"))[0] == 200


async def status_of(gateway: RunningGateway, path: str) -> tuple[int, str]:
    answer, text = await look(gateway, path)
    return answer.status, text


async def test_configuring_tokens_ends_links_that_were_made_without(start_gateway: Start) -> None:
    before, after = await start_gateway(), await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(before)
    for path in (await link_to(waiting), await link_to(waiting, **{"for": "ann"})):
        assert (await send(after, path, responseType="approval"))[0] == 403
        assert (await look(before, path))[0].status == 200


async def test_links_last_a_week_and_a_month_at_most(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    _, made = await gateway.post("/api/hitl/link", {"requestId": waiting.request_id})
    left = datetime.fromisoformat(made["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    body = {"requestId": waiting.request_id, "expiresInSeconds": 30 * 86400}
    assert (await gateway.post("/api/hitl/link", body))[0].status == 201
    answer, problem = await gateway.post("/api/hitl/link", {**body, "expiresInSeconds": 30 * 86400 + 1})
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, "/expiresInSeconds")


async def test_links_are_listed_and_revoked_by_those_whom_they_concern(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE)
    anns, bobs = [await link_to(waiting, by=MAILER, **{"for": name}) for name in ("ann", "bob")]
    _, all_links = await gateway.get(f"/api/hitl/links?requestId={waiting.request_id}", Authorization=MAILER)
    assert [each["for"] for each in all_links["links"]] == ["bob", "ann"]
    assert not any(part in str(all_links) for part in (anns.rpartition(".")[2], bobs.rpartition(".")[2]))
    _, mine = await gateway.get("/api/hitl/links", Authorization=ANN)
    assert [(each["for"], each["status"], each["madeBy"]) for each in mine["links"]] == [
        ("ann", "active", "mailer")
    ]
    revoke = "/api/hitl/links/{}/revoke"
    bob_id, ann_id = [each["linkId"] for each in all_links["links"]]
    answer, problem = await gateway.post(revoke.format(bob_id), b"", Authorization=ANN)
    assert (answer.status, problem["code"]) == (404, "link_unknown")
    for _ in range(2):
        answer, revoked = await gateway.post(revoke.format(ann_id), b"", Authorization=ANN)
        assert (answer.status, revoked["status"], revoked["revokedBy"]) == (200, "revoked", "ann")
    status, text = await send(gateway, anns, responseType="approval")
    assert (status, "This link was revoked" in text) == (410, True)
    assert (await send(gateway, bobs, responseType="approval"))[0] == 200


async def test_what_is_approved_is_what_is_read(gateway: RunningGateway) -> None:
    tricky = "\u202eevil\u202c \u200b\x9b2J"
    run = ByHand(gateway.handler, await gateway.start_run(objective=f"Say {tricky}"))
    await run.planned()
    await run.start()
    options = ({"id": f"a{tricky}", "label": tricky},)
    waiting = await asked(
        gateway, run, "a", question=tricky, options=options, additional_context={tricky: tricky}
    )
    path = await link_to(waiting)
    _, text = await look(gateway, path)
    assert not has_hidden(text, block=True)
    assert "\\u202eevil" in text
    status, text = await send(gateway, path, selectedOptionId="no", note=tricky, operator=tricky)
    assert (status in (400, 422), has_hidden(text, block=True)) == (True, False)
    status, text = await send(gateway, path, selectedOptionId=f"a{tricky}", note=tricky, operator=tricky)
    assert (status, has_hidden(text, block=True)) == (200, False)


async def test_the_decision_is_shown_before_it_is_final_and_afterwards_with_its_output(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    form = {"responseType": "approval", "note": "Fine.\r\nShip <it>", "operator": "Zoe"}
    status, text = await send(gateway, path, **form, confirmed="")
    assert status == 200
    for shown in (
        "You are about to approve",
        "<p>Zoe</p>",
        "<p>Fine.</p>",
        "Ship &lt;it&gt;",
        "<p>hello</p>",
    ):
        assert shown in text
    assert await waiting.events("hitl_resolved") == [], "the first press decides nothing"
    carried = dict(Page(text).names)
    (asked_for,) = await waiting.events("hitl_request")
    assert (carried["output"], carried["proposal"]) == (asked_for.payload["outputHash"], "0")
    status, text = await send(
        gateway, path, **{k: v for k, v in carried.items() if k not in ("confirmed", "back")}, back="yes"
    )
    assert (status, "Fine.\nShip &lt;it&gt;</textarea>" in text, ("operator", "Zoe") in Page(text).names) == (
        200, True, True,
    )  # fmt: skip
    del carried["back"]
    status, text = await send(gateway, path, **carried)
    assert status == 200
    for each in (text, (await look(gateway, path))[1]):
        assert "This was approved" in each
        assert "What was approved" in each
        assert "<p>hello</p>" in each
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["operator"], resolved.payload["note"]) == ("Zoe", "Fine.\nShip <it>")


async def test_an_output_that_was_not_read_is_not_approved(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    path = await link_to(waiting)
    read = dict(Page((await look(gateway, path))[1]).names)["output"]
    assert (await waiting.respond("edit", operator="bob", editedOutput={"text": "other"}))[0] == 200
    for confirmed in ("", "yes"):
        form = {"responseType": "approval", "output": read, "confirmed": confirmed}
        status, text = await send(gateway, path, **form)
        assert (status, "This was not taken" in text, "<p>other</p>" in text) == (409, True, True)
    assert await waiting.status() == "awaiting_hitl"


@pytest.mark.parametrize("name", ["", "  ", "\u200b\u2060", "\u3164"])
async def test_a_link_for_nobody_asks_for_a_name_that_can_be_read(gateway: RunningGateway, name: str) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    for confirmed in ("", "yes"):
        form = {"responseType": "approval", "operator": name, "confirmed": confirmed}
        status, text = await send(gateway, path, **form)
        assert (status, "Type your name" in text) == (422, True)
    assert await waiting.events("hitl_resolved") == []


async def test_after_an_edit_the_page_shows_the_output_that_was_approved(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting)
    edit = {"responseType": "edit", "editedOutput": '{"text": "much better"}'}
    _, text = await send(gateway, path, **edit, confirmed="")
    assert "<p>much better</p>" in text
    assert (await send(gateway, path, **edit))[0] == 200
    _, text = await look(gateway, path)
    assert ("<p>much better</p>" in text, "<p>hello</p>" in text) == (True, False)


async def test_times_on_the_page_are_for_people(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, expiresInSeconds=600)
    _, text = await look(gateway, await link_to(waiting))
    assert re.search(r"<dt>Asked</dt><dd>\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC</dd>", text)
    assert not re.search(r"\d\d:\d\d:\d\d", text)


async def test_a_person_who_agrees_with_a_proposed_answer_sees_it_again(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(policies={"hitl": {"quorum": 2}}))
    await run.planned()
    await run.start()
    waiting = await asked(gateway, run, "a", question="Which city?", allow_free_form=True)
    path = await link_to(waiting)
    answer = {"responseType": "freeform", "freeformText": "Bern"}
    _, text = await send(gateway, path, **answer, confirmed="")
    assert ("<p>Bern</p>" in text, await waiting.events("log")) == (True, [])
    assert (await send(gateway, path, **answer))[0] == 200
    _, text = await send(gateway, path, responseType="approval", operator="yan", confirmed="")
    assert "<p>Bern, by zoe</p>" in text
    assert (await send(gateway, path, responseType="approval", operator="yan"))[0] == 200
    assert len(await waiting.events("hitl_resolved")) == 1


async def test_the_operations_log_has_who_decided_by_a_link_and_not_who_was_asked_again(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    path = await link_to(waiting, **{"for": "ann"})
    for confirmed in ("", "yes"):
        assert (await send(gateway, path, responseType="approval", confirmed=confirmed))[0] == 200

    found: list[dict[str, Any]] = []

    async def decided() -> bool:
        _, page = await gateway.get(f"{API}/operations?action=decideByLink&outcome=done")
        found[:] = page["operations"]
        return bool(found)

    await eventually(decided)
    (entry,) = found
    assert (entry["actor"], entry["claimedActor"]) == ("ann", "zoe")
    assert (entry["objectKind"], entry["objectId"]) == ("request", waiting.request_id)
    assert path not in str((await gateway.get(f"{API}/operations"))[1])
