"""What flexrun's own secrets look like, for the scanner: it knows those of others."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class FlexrunSecret(RegexBasedDetector):
    """Tokens of the API, of links and of attempts, and the secrets of webhooks."""

    secret_type = "Secret of flexrun"  # pyright: ignore[reportAssignmentType] - declared there as abstractproperty
    denylist = (  # pyright: ignore[reportAssignmentType] - the same
        re.compile(r"flx_[A-Za-z0-9_-]{43}"),
        re.compile(r"whsec_[A-Za-z0-9+/]{42,}={0,2}"),
        re.compile(r"/hitl/[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
        re.compile(r"WyI[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{43}"),
    )
