"""`${env:NAME}` in a descriptor: the value is read in the process that makes the call, at the moment of the call.

Each value that was read is redacted from then on (`schemas.redaction`): it shows in no log line, event or error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.redaction import MIN_SECRET_CHARS, REDACTED, know_secrets

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]{0,199})\}")
_OWN_PREFIXES = ("FLEXRUN_", "PG")
"""Variables that hold the engine's own secrets; a descriptor must not send them anywhere."""

_known: set[str] = set()


class SecretMissing(Exception):
    """A variable that a descriptor names is not set here, or is the engine's own. The text shows no value."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"${{env:{name}}} cannot be used: {reason}")
        self.name = name


@dataclass(slots=True)
class EnvSecrets:
    """Resolves references, and remembers what it has read, so that an answer that quotes it can be cleaned."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    values: set[str] = field(default_factory=set[str])

    def resolve(self, text: str) -> str:
        """`text` with the value in the place of each reference. Raises SecretMissing."""
        return _REFERENCE.sub(lambda found: self._value(found[1]), text)

    def resolve_all(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Headers or variables with their values. Raises SecretMissing."""
        return {name: self.resolve(value) for name, value in settings.items()}

    def clean(self, raw: bytes) -> bytes:
        """`raw` without the values that were read."""
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= MIN_SECRET_CHARS:
                raw = raw.replace(value.encode(), REDACTED.encode())
        return raw

    def _value(self, name: str) -> str:
        if name.startswith(_OWN_PREFIXES):
            raise SecretMissing(name, "the engine's own variables are not given to capabilities")
        value = self.environ.get(name)
        if not value:
            raise SecretMissing(name, "the variable is not set in the process that makes the call")
        self.values.add(value)
        if value not in _known:
            _known.add(value)
            know_secrets(value)
        return value
