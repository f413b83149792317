"""Secrets are taken out of all text that leaves the process: log lines, error messages, dead letters.

The secrets of this process are known by value (`know_secrets`), so they are found wherever a library quotes them. What
has the form of a secret is found by pattern: bearer tokens, the password of a URL, the address of a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import quote, unquote

import orjson

REDACTED = "[redacted]"
MIN_SECRET_CHARS = 6
"""A shorter text is not looked for by value: it would be found in ordinary words."""

_MAX_DEPTH = 100

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer[ \t]+)[^\s\"'\\,;]{6,}"), r"\1" + REDACTED),
    (
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,200}):[^\s/\"']{1,500}@"),
        rf"\1:{REDACTED}@",
    ),
    # A link, whole or cut off; not a pointer into `policies.hitl`, whose words are shorter and have no dot.
    (
        re.compile(r"(/hitl/)([A-Za-z0-9_%+=~-]{8,}\.[A-Za-z0-9_%+=~-]*|[A-Za-z0-9_%+=~-]{20,})"),
        r"\1" + REDACTED,
    ),
    # The token of an attempt, in the address of the worker protocol and of callbacks.
    (re.compile(r"(/work/)[A-Za-z0-9_%+=~-]{20,}\.[A-Za-z0-9_%+=~-]*"), r"\1" + REDACTED),
    (
        re.compile(r"(?i)\b((?:access_token|password|passwd|passfile|sslpassword)=)(?:'[^']*'|[^\s&\"']+)"),
        r"\1" + REDACTED,
    ),
    # Only flexrun makes them, always in this form (`serialize_secret`): they are not looked for by value,
    # since the processes that sign with them keep the bytes. `+`, `/` and `=` may be escaped.
    (
        re.compile(r"(?i)(whsec(?:_|%5f))(?:[a-z0-9+/=_-]|%(?:25)*[0-9a-f]{2}|\\+/|\\+u[0-9a-f]{4}){8,}"),
        r"\1" + REDACTED,
    ),
    # Tokens of the database, of which no process but their holder's knows more than the hash.
    (re.compile(r"(?i)(flx(?:_|%5f))[a-z0-9_-]{20,}"), r"\1" + REDACTED),
    # Tokens of an issuer (JWT): two JSON objects in base64url, and a signature.
    (
        re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        REDACTED,
    ),
)
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.:@+-]*")
"""No pattern but the last three can match in such a text: each of the others needs a blank, `/` or `=`."""
_TOKEN_MEMBER = re.compile(
    r"(?i)((?:\"|')?(?:access_?)?token(?:\"|')?\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\s,}\]]+)"
)
_TOKEN_NAMES = frozenset({"token", "accesstoken", "authorization"})


class _Known:
    """The secrets of this process, each in the forms in which it can be quoted."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.pattern: re.Pattern[str] | None = None
        self.raw_pattern: re.Pattern[bytes] | None = None
        self.raw_texts: list[bytes] = []

    def add(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            if len(secret) >= MIN_SECRET_CHARS:
                escaped = orjson.dumps(secret.encode("utf-8", "replace").decode()).decode()[1:-1]
                self.texts |= {secret, quote(secret, safe=""), quote(secret), unquote(secret), escaped}
        self.texts = {text for text in self.texts if len(text) >= MIN_SECRET_CHARS}
        if self.texts:
            longest_first = sorted(self.texts, key=len, reverse=True)
            self.pattern = re.compile("|".join(map(re.escape, longest_first)))
            self.raw_texts = [text.encode(codec, "replace") for text in longest_first for codec in _CODECS]
            self.raw_pattern = re.compile(b"|".join(map(re.escape, self.raw_texts)))


_CODECS = ("utf-8", "utf-16-le", "utf-16-be")
_known = _Known()


def know_secrets(*secrets: str | None) -> None:
    """From now on these texts are redacted by value, wherever they occur."""
    _known.add(secret for secret in secrets if secret)


def secrets_known() -> int:
    """How many texts are redacted by value. What was redacted before is to be redacted again when there are more."""
    return len(_known.texts)


def redact(text: str) -> str:
    """`text` without known secrets and without what looks like one."""
    if _known.pattern is not None:
        text = _known.pattern.sub(REDACTED, text)
    if _PLAIN_WORD.fullmatch(text) and not _has_form_of_token(text):
        return text  # ids, names and times, of which log lines consist
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _has_form_of_token(text: str) -> bool:
    lower = text.lower()
    return "whsec" in lower or "flx_" in lower or "eyJ" in text


def redact_message(raw: bytes) -> bytes:
    """What may be kept of a message from outside: no known secret, no bearer token, no member named `token`.

    A message that is JSON stays JSON; any other stays as it is but for those places. One with nothing to hide is
    returned byte for byte.
    """
    try:
        document: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _redact_raw(raw)
    cleaned = _cleaned(document, _MAX_DEPTH)
    # The bytes are looked at too: a member that is there twice is read once.
    return raw if cleaned == document and redact(raw.decode()) == raw.decode() else orjson.dumps(cleaned)


def redact_by_form(_argument: object, raw: bytes) -> bytes:
    """`redact_message` for a child process, which knows no secrets: only what has the form of one is left out.

    A JSON message with escapes is written anew, so that its caller finds known secrets by their bytes.
    """
    kept = redact_message(raw)
    if kept is not raw or b"\\" not in raw:
        return kept
    try:
        return orjson.dumps(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return kept


def redact_beginning(raw: bytes, size_bytes: int) -> bytes:
    """The first bytes of a message that is not kept whole, as `redact_message` keeps what is no JSON."""
    return _redact_raw(raw[:size_bytes])


def known_forms() -> list[bytes]:
    """The known secrets of this process in every form and encoding in which a message may quote them, longest first."""
    return _known.raw_texts


def _redact_raw(raw: bytes) -> bytes:
    if _known.raw_pattern is not None:
        raw = _known.raw_pattern.sub(REDACTED.encode(), raw)
    text = raw.decode("utf-8", "surrogateescape")
    cleaned = _TOKEN_MEMBER.sub(lambda found: f'{found[1]}"{REDACTED}"', redact(text))
    return cleaned.encode("utf-8", "surrogateescape")


def _cleaned(value: Any, depth: int) -> Any:
    if depth == 0:
        return REDACTED
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_cleaned(each, depth - 1) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {
            redact(name): _cleaned(member, depth - 1)
            for name, member in members.items()
            if name.lower().replace("_", "") not in _TOKEN_NAMES
        }
    return value
