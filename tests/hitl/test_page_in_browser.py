"""The page of a link in a real browser: no key decides, and on a phone the buttons are in reach."""

from pathlib import Path
from typing import Any

from tests.support.browser import Page, page_in_browser
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.people import Waiting
from tests.support.waiting import DEADLINE_SECONDS, eventually

_PATIENCE_SECONDS = 2 * DEADLINE_SECONDS
LONG = {
    "variants": [
        {
            "title": f"Variant {number}",
            "text": "A line about us.\n" * 12,
            "hashtags": ["#one", "#two"],
            "score": 0.5,
        }
        for number in range(5)
    ],
    "approved": None,
}
_BUTTONS = """[...document.querySelectorAll('.bar button')].map(each => {
    const box = each.getBoundingClientRect();
    const middle = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const style = getComputedStyle(each);
    return {text: each.textContent, top: box.top, bottom: box.bottom, left: box.left, right: box.right,
            height: box.height, hit: middle === each, colours: style.color + style.backgroundColor};
})"""


async def long_waiting(gateway: RunningGateway) -> Waiting:
    """A run whose output is some screens long."""
    envelope = {
        "objective": "Write five variants",
        "outputContract": {"schema": {"type": "object", "required": ["variants"]}},
        "policies": {"requiresHitlApproval": True},
    }
    _, body = await gateway.post(f"{API}/runs", envelope)
    run = ByHand(gateway.handler, body["runId"])
    await run.planned()
    await run.work()
    outcome = await run.deliver(LONG)
    (request,) = outcome.state.open_requests
    return Waiting(gateway, run.run_id, request.id)


async def link_of(waiting: Waiting) -> str:
    _, made = await waiting.gateway.post("/api/hitl/link", {"requestId": waiting.request_id})
    return made["url"]


async def titled(page: Page, start: str) -> None:
    """Wait for the page whose heading begins so."""
    heading = f"document.readyState === 'complete' && !!document.querySelector('h1')?.textContent.startsWith('{start}')"
    await eventually(lambda: page.evaluate(heading), _PATIENCE_SECONDS, f"the page {start!r}")


async def within_reach(page: Page, texts: list[str]) -> list[dict[str, Any]]:
    """The bar's buttons: visible, large enough for a thumb, and no two look the same."""
    buttons = await page.evaluate(_BUTTONS)
    assert [each["text"] for each in buttons] == texts
    assert all(each["hit"] and each["top"] >= 0 and each["bottom"] <= 640 for each in buttons), buttons
    assert all(each["left"] >= 0 and each["right"] <= 360 and each["height"] >= 44 for each in buttons), (
        buttons
    )
    assert len({each["colours"] for each in buttons}) == len(buttons), buttons
    return buttons


async def test_no_key_decides_and_on_a_phone_the_buttons_are_within_reach(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    waiting = await long_waiting(gateway)
    async with page_in_browser(await link_of(waiting), tmp_path) as page:
        await page.resize(360, 640)
        await titled(page, "Approve the output")
        first = await within_reach(page, ["Approve …", "Reject …"])
        await page.evaluate("window.sent = 0; addEventListener('submit', () => { window.sent += 1; })")
        await page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        await page.evaluate(
            "document.querySelectorAll('[name=operator]').forEach(each => { each.value = 'Zoe'; })"
        )
        fields = "document.querySelectorAll('input[type=text], textarea')"
        count = await page.evaluate(f"{fields}.length")
        assert count == 5, "name and note twice, and the output"
        for at in range(count):
            await page.evaluate(f"{fields}[{at}].focus()")
            assert await page.evaluate(f"document.activeElement === {fields}[{at}]")
            await page.press_enter()
        assert await page.evaluate("window.sent") == 0
        assert await page.evaluate("document.getElementById('note-decide').value") == "\n", "a note has lines"
        await page.evaluate("document.getElementById('note-decide').value = 'Wrong company name\\nMend it'")
        await page.evaluate("document.querySelector('.bar .no').click()")
        await titled(page, "You are about to reject")
        await page.press_enter()
        final, _ = await within_reach(page, ["Yes, reject", "Back"])
        assert final["bottom"] <= first[0]["top"], "a second tap in the same place does not decide"
        assert await waiting.events("hitl_resolved") == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.evaluate("document.querySelector('.bar .no').click()")
        await titled(page, "This was rejected")
    (resolved,) = await waiting.events("hitl_resolved")
    said = [resolved.payload[key] for key in ("decision", "operator", "note")]
    assert said == ["rejected", "Zoe", "Wrong company name\nMend it"]
