"""Secrets are found wherever they are quoted, in whatever form."""

import time
from urllib.parse import quote

import orjson
import pytest

from eventstore.tokens import new_token
from schemas.redaction import REDACTED, know_secrets, redact, redact_message

SECRET = 'correct "horse" b@ttery'


@pytest.fixture(autouse=True)
def known() -> None:
    know_secrets(SECRET, "token-of-carol")


@pytest.mark.parametrize(
    "text",
    [
        f"password was {SECRET}!",
        'quoted as correct \\"horse\\" b@ttery in JSON',
        "in a URL correct%20%22horse%22%20b%40ttery",
        "token-of-carol",
        "x" * 500 + "token-of-carol" + "y" * 500,
    ],
)
def test_a_known_secret_is_redacted_in_every_form(text: str) -> None:
    shown = redact(text)
    assert REDACTED in shown
    for part in ("horse", "token-of-carol"):
        assert part not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("postgresql://ann:pw@db/x", "postgresql://ann:[redacted]@db/x"),
        ("cannot reach amqp://guest:guest@mq:5672/", "cannot reach amqp://guest:[redacted]@mq:5672/"),
        ("GET /hitl/eyJyIjoiMDFhMjAz.c2lnbmF0dXJl HTTP/1.1", "GET /hitl/[redacted] HTTP/1.1"),
        ("/events?access_token=abcdef&after=1", "/events?access_token=[redacted]&after=1"),
        ("host=db password=pw user=ann", "host=db password=[redacted] user=ann"),
        ("whsec_AAAABBBBCCCC", "whsec_[redacted]"),
        ("whsec_AA%2BBBBB%2fCC%3D%3D&a=1", "whsec_[redacted]&a=1"),
        ("whsec_AA%252BBBBB, no more", "whsec_[redacted], no more"),
        (r'{"secret":"whsec_A\/ABBBBCC\u003d"}', '{"secret":"whsec_[redacted]"}'),
        ("my_whsec_AAAABBBBCCCC", "my_whsec_[redacted]"),
        ("a.b:c@d+e-WhSec_AAAABBBBCCCC", "a.b:c@d+e-WhSec_[redacted]"),
        ("2026-11-28T10:32:24.390113Z", "2026-11-28T10:32:24.390113Z"),
        ("/hitl/… and https://flexrun.example/a", "/hitl/… and https://flexrun.example/a"),
        ("/policies/hitl/forbidSubmiter: Unknown key", "/policies/hitl/forbidSubmiter: Unknown key"),
        ("The bearer of this", "The bearer of this"),
        ("The bearer abcdef this", "The bearer [redacted] this"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, shown: str) -> None:
    assert redact(text) == shown


MESSAGES = {
    "whole": orjson.dumps({"runId": "a", "token": "token-of-carol"}),
    "cut off": b'{"token": "some-other-token", "runId": ',
    "cut off in the token": b'{"runId": "a", "token": "some-other-tok',
    "nested": orjson.dumps({"responses": [{"token": "some-other-token"}]}),
    "not a text": orjson.dumps({"token": ["some-other-token"]}),
    "in capitals": orjson.dumps({"Token": "some-other-token", "access_token": "some-other-token"}),
    "in a list": orjson.dumps([{"token": "some-other-token"}]),
    "twice": b'{"token": "some-other-token", "token": 7, "a": 1}',
    "as a value": orjson.dumps({"note": "my token-of-carol"}),
    "as a key": orjson.dumps({"token-of-carol": 1}),
    "hidden by a later member": b'{"note": "token-of-carol", "note": "x"}',
    "escaped": b'{"note": "\\u0074oken-of-carol"}',
    "a header": b"POST / HTTP/1.1\r\nAuthorization: Bearer some-other-token\r\n\r\n",
    "not UTF-8": b'\xff{"token": "some-other-token"}',
    "UTF-16": '{"note": "token-of-carol"}'.encode("utf-16-le"),
    "single quotes": b"{'token': 'some-other-token'}",
    "a form": b"token=some-other-token&runId=a",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_no_message_that_is_kept_has_a_token(name: str) -> None:
    kept = redact_message(MESSAGES[name])
    for text in ("token-of-carol", "some-other-tok"):
        assert text.encode() not in kept
        assert text.encode("utf-16-le") not in kept
        assert text not in str(orjson.loads(kept)) if name == "escaped" else True


@pytest.mark.parametrize("raw", [b'{"b":  1, "a": "x"}', b"[]", b"", b"{oops", b"\xff\x00", b'{"n": 1e400}'])
def test_a_message_without_a_secret_keeps_its_bytes(raw: bytes) -> None:
    assert redact_message(raw) == raw


def test_tokens_of_the_database_are_found_by_their_form() -> None:
    token = new_token()
    for text in (
        token,
        f"the token {token}.",
        f'{{"x": "{token}"}}',
        quote(token),
        f"https://a.example/?t={token}&b",
    ):
        shown = redact(text)
        assert token[8:] not in shown, text
        assert token[8:].encode() not in redact_message(text.encode())
    assert redact("flx_short and reflx_ions") == "flx_short and reflx_ions"


def test_tokens_of_an_issuer_are_redacted_by_their_form() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkIn0.c2lnbmF0dXJl-_"
    assert redact(token) == "[redacted]"
    assert redact(f"it sent {token}, twice: {token[:-13]}!") == "it sent [redacted], twice: [redacted]!"
    assert redact("eyJ.eyJ and eyes.only") == "eyJ.eyJ and eyes.only"
    began = time.perf_counter()
    redact("-eyJ" * 50_000)
    assert time.perf_counter() - began < 1
