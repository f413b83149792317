"""`/docs` shows the API in a browser: from this host only, under a policy that allows no inline script."""

import gzip
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.support.browser import Page, page_in_browser
from tests.support.gateways import RunningGateway
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
}
PATIENCE_SECONDS = 60
COUNT_VIOLATIONS = (
    "window.violations = [];"
    "document.addEventListener('securitypolicyviolation', (e) => window.violations.push("
    "`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`));"
)


async def _page(gateway: RunningGateway) -> tuple[Any, str]:
    async with gateway.http.get(f"{gateway.url}/docs") as answer:
        assert answer.status == 200
        return answer.headers, await answer.text()


def _assets(gateway: RunningGateway, html: str) -> list[str]:
    found = re.findall(r'(?:src|href)="(docs/[^"]+)"', html)
    assert len(found) == 3
    return [urljoin(f"{gateway.url}/docs", each) for each in found]


async def test_the_page_asks_for_no_token_and_allows_what_comes_from_here(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens="secret-of-ada=ada")
    headers, html = await _page(gateway)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    rules = [rule.split() for rule in headers["Content-Security-Policy"].split(";")]
    assert {name: sources for name, *sources in rules} == POLICY
    assert "style=" not in html
    assert not re.findall(r"<script(?! src=)|<style|https?://", html)
    for url in _assets(gateway, html):
        async with gateway.http.get(url) as answer:
            assert answer.status == 200
    assert "offapi" not in sys.modules, "importing it reads 9 MB of pages that are not asked for"


async def test_its_files_are_kept_by_browsers_and_change_their_address_with_their_content(
    gateway: RunningGateway,
) -> None:
    _, html = await _page(gateway)
    for url in _assets(gateway, html):
        kind = "text/css" if url.endswith(".css") else "text/javascript"
        async with gateway.http.get(url, headers={"Accept-Encoding": "identity"}) as answer:
            plain = await answer.read()
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert (answer.headers["Vary"], "Content-Encoding" in answer.headers) == ("Accept-Encoding", False)
        async with gateway.http.get(url, headers={"Accept-Encoding": "br, gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert await answer.read() == plain
        assert int(answer.headers["Content-Length"]) == len(gzip.compress(plain, 6, mtime=0))
        digest = url.rsplit("/", 2)[1]
        answer, problem = await gateway.get(url.removeprefix(gateway.url).replace(digest, "0" * 16))
        assert (answer.status, problem["code"]) == (404, "not_found")
        assert "immutable" not in answer.headers["Cache-Control"]


async def test_head_says_what_get_would(gateway: RunningGateway) -> None:
    _, html = await _page(gateway)
    for url in (f"{gateway.url}/docs", *_assets(gateway, html)):
        async with gateway.http.get(url) as get, gateway.http.head(url) as head:
            assert head.status == 200
            assert await head.read() == b""
            for name in ("Content-Type", "Content-Length", "Cache-Control", "Content-Security-Policy"):
                assert head.headers[name] == get.headers[name], name


async def test_a_browser_shows_each_operation_and_calls_one_without_leaving_this_host(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    _, document = await gateway.get("/openapi.json")
    operations = sum(len(each) for each in document["paths"].values())
    async with page_in_browser("about:blank", tmp_path) as page:
        for domain in ("Page", "Network", "Log", "Runtime"):
            await page.call(f"{domain}.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=COUNT_VIOLATIONS)
        await page.call("Page.navigate", url=f"{gateway.url}/docs")

        shown = "document.querySelectorAll('.opblock').length"
        await _until(page, f"{shown} === {operations}", "it shows the operations")
        assert await page.evaluate("document.querySelector('.info .title').innerText.includes('flexrun')")

        block = "document.getElementById('operations-operations-health')"
        await _click(page, f"{block}.querySelector('.opblock-summary-control')")
        await _click(page, f"{block}.querySelector('.try-out__btn')")
        await _click(page, f"{block}.querySelector('.execute')")
        code = f"{block}.querySelector('.live-responses-table .response .response-col_status')"
        await _until(page, f"({code} || {{}}).innerText?.startsWith('200')", "it shows the answer")

        assert await page.evaluate("window.violations") == []
    _only_from(gateway.url, page.events)


async def _until(page: Page, condition: str, what: str) -> None:
    await eventually(lambda: page.evaluate(condition), PATIENCE_SECONDS, what)


async def _click(page: Page, element: str) -> None:
    await _until(page, f"{element} !== null", element)
    await page.evaluate(f"{element}.click()")


def _only_from(url: str, events: list[dict[str, Any]]) -> None:
    """Assert that each request of a page went to `url`, and that its console has no error."""
    requested = [
        each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"
    ]
    assert f"{url}/openapi.json" in requested
    assert [each for each in requested if not each.startswith((f"{url}/", "data:", "about:"))] == []
    said = [each["params"] for each in events if each["method"] == "Log.entryAdded"]
    said += [
        each["params"]
        for each in events
        if each["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    ]
    assert said == []
