"""The client of the SDK for Node over a running engine: through cut connections, decisions, refusals and ends."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.linkedin import EXAMPLES, example
from tests.support.node_worker import sdk_client
from tests.support.sites import Site
from tests.support.submitting import delivered
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)


async def seen(what: str, url: str) -> Any:
    """What the client has seen."""
    envelopes = [str(EXAMPLES / f"linkedin-{name}.json") for name in ("variants", "approval")]
    return await sdk_client(what, url, *envelopes)


async def test_a_stream_that_is_cut_in_frames_is_read_without_gap_or_double(shared_site: Site) -> None:
    gateway = urlsplit(shared_site.urls[0])
    async with TcpProxy(gateway.hostname or "", gateway.port or 0) as proxy:
        proxy.cut_after = [900, 300, 700, 1_500]  # the first in the answer to the POST or soon after
        frames = await seen("stream", f"http://127.0.0.1:{proxy.port}")
        assert proxy.accepted >= 4
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
    assert (frames[0]["type"], frames[-1]["type"]) == ("start", "complete")
    delivered(example("linkedin-variants"), frames)


async def test_a_draft_is_approved_another_rejected_and_a_third_aborted(shared_site: Site) -> None:
    found = await seen("decisions", shared_site.urls[0])
    assert found["open"] == found["asked"]
    assert found["approved"]
    assert found["again"] == [404, "request_unknown"]
    assert found["rejected"][0] == "failed"
    assert found["aborted"][0] == "aborted"
    assert found["shown"] == "failed"


async def test_submissions_are_repeated_streams_end_and_refusals_have_their_codes(shared_site: Site) -> None:
    assert await seen("ends", shared_site.urls[0]) == {
        "same": True,
        "more": 0,
        "ended": "TimeoutError",
        "refused": [400, "invalid_body"],
        "unknown": [404, "run_unknown"],
    }
