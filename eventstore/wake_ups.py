"""The messages that processes send each other over `NOTIFY`.

A payload is `<origin>;<names>`. The origin is that of the store that committed, or nothing for a message that was
sent by hand. The names are run ids on the channel `flexrun_log` and queues on `flexrun_work`, with commas between
them, or `*` for "anything may have changed"; on `flexrun_here` it is `hello` or `here`, see presence.py. On
`flexrun_registry` the names are `capabilities` and `facets`: what the registry has of these has changed. On
`flexrun_partial` they are runs whose attempts have made more of their outputs, on `flexrun_erased` runs whose data was
erased (`flex_erase` sends it with its commit).

Wake-ups are hints: one that is lost costs time only, since every reader polls as well.
"""

from __future__ import annotations

from collections.abc import Collection

LOG_CHANNEL = "flexrun_log"
WORK_CHANNEL = "flexrun_work"
HERE_CHANNEL = "flexrun_here"
REGISTRY_CHANNEL = "flexrun_registry"
PARTIAL_CHANNEL = "flexrun_partial"
ERASED_CHANNEL = "flexrun_erased"

ANYTHING = "*"
HELLO = "hello"
HERE = "here"
NO_ORIGIN = "-"
"""The origin of a process that has no store."""

MAX_NAMES = 200
MAX_PAYLOAD_BYTES = 7900
"""Postgres takes 8,000 at most."""


def encode_names(origin: str, names: Collection[str]) -> str:
    """The payload for these names; "anything" where they are too many, or where ANYTHING is one of them."""
    if len(names) <= MAX_NAMES and ANYTHING not in names:
        payload = f"{origin};{','.join(names)}"
        if len(payload.encode()) <= MAX_PAYLOAD_BYTES:
            return payload
    return f"{origin};{ANYTHING}"


def decode_names(names: str) -> set[str] | None:
    """The names of a payload; None for "anything"."""
    return None if names == ANYTHING else set(names.split(","))
