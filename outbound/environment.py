"""Settings of capabilities with secrets in them: each `${env:NAME}` is read by the process that makes the call."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from schemas.redaction import know_secrets

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]{0,199})\}")
_OURS = "FLEXRUN_"


class VariableMissing(LookupError):
    """A setting names an environment variable that this process does not have, or that is no capability's to read."""


def resolve(setting: str) -> str:
    """`setting` with the values of its variables, which are redacted from logs from now on. Raises VariableMissing.

    flexrun's own variables are refused: a descriptor must not send this process's secrets anywhere.
    """
    return _REFERENCE.sub(lambda found: _value(found[1]), setting)


def resolve_all(settings: Mapping[str, str]) -> dict[str, str]:
    """The same for each value."""
    return {name: resolve(setting) for name, setting in settings.items()}


def _value(name: str) -> str:
    if name.upper().startswith(_OURS):
        raise VariableMissing(f"{name} is a setting of flexrun, which no capability may read")
    value = os.environ.get(name)
    if not value:
        raise VariableMissing(f"the environment variable {name} is not set where the executor runs")
    know_secrets(value)
    return value
