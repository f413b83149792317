"""Signatures and back-off, against the published values."""

from __future__ import annotations

import base64
from itertools import accumulate

from outbound.signature import message_headers
from webhooks.config import WebhooksConfig


def test_the_published_example_has_the_published_signature() -> None:
    headers = message_headers(
        base64.b64decode("plJ3nmyCDGBKInavdOK15jsl"),
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
    )
    assert headers == {
        "webhook-id": "msg_loFOjxBNrRLzqYUf",
        "webhook-timestamp": "1731705121",
        "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    }


def test_attempts_grow_rarer_over_a_day_and_then_end() -> None:
    config = WebhooksConfig()
    pauses = [config.pause_seconds(attempt, 0.5) for attempt in range(1, 13)]
    assert pauses[:3] == [5, 30, 120]
    assert pauses[10:] == [None, None]
    known = [pause for pause in pauses if pause is not None]
    assert known == sorted(known)
    assert 20 * 3600 < list(accumulate(known))[-1] < config.give_up_seconds


def test_jitter_spreads_a_pause_on_both_sides() -> None:
    config = WebhooksConfig(backoff_seconds=(100.0,), jitter=0.2)
    assert config.pause_seconds(1, 0.0) == 80
    assert 119 < (config.pause_seconds(1, 0.999) or 0) < 120
