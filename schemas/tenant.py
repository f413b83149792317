"""Tenants: who shares one installation with others, and sees nothing of theirs."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

DEFAULT_TENANT = "default"
"""The operator's own: everything that no other tenant is named for belongs to it."""

TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

TenantName = Annotated[str, StringConstraints(pattern=TENANT_PATTERN)]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_tenant_name(text: str) -> bool:
    """Whether a tenant may have this name: small ASCII letters, digits and hyphens, 63 at most."""
    return _NAME.fullmatch(text) is not None
