"""Variables that look like settings and are none: `FLEXRUN_EXECUTOR_SLOT` would be ignored otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

PREFIX = "FLEXRUN_"

_SET_BY_OTHERS = re.compile(
    r"FLEXRUN_TEST_|FLEXRUN_(\w+_)?(SERVICE_HOST$|SERVICE_PORT(_|$)|PORT_\d+_(TCP|UDP|SCTP)(_|$))"
)
"""Those of our tests, and those that Kubernetes sets for a service whose name begins with "flexrun"."""


def known_variables(fields: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The variables of these fields; a secret may be in a file, too."""
    return [PREFIX + name.upper() for name in fields] + [f"{PREFIX}{name.upper()}_FILE" for name in secrets]


def unknown_settings(environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """A sentence for each variable that begins as our settings do and is none of `known`, with the nearest of them."""
    allowed = set(known)
    return [
        _sentence(name, sorted(allowed))
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and name not in allowed and not _is_of_others(name, value)
    ]


def _is_of_others(name: str, value: str) -> bool:
    return _SET_BY_OTHERS.match(name) is not None or (name.endswith("_PORT") and "://" in value)


def _sentence(name: str, known: list[str]) -> str:
    # Without the prefix, which would make all of them alike.
    near = get_close_matches(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], 1, 0.7)
    return f"{name} is not a setting" + (
        f"; did you mean {PREFIX}{near[0]}?" if near else "; see: flexrun settings"
    )
