"""Whether spans are wanted, without importing what exports them."""

from __future__ import annotations

import os
from importlib.util import find_spec

_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_OFF = "OTEL_SDK_DISABLED"


def traces_wanted(endpoint: str | None) -> bool:
    """Whether a place to send spans to is set. Raises ValueError where the libraries that send them are missing."""
    if os.environ.get(_OFF, "").lower() == "true":
        return False
    if endpoint is None and not any(os.environ.get(name) for name in _VARIABLES):
        return False
    if not (_is_there("opentelemetry.exporter.otlp.proto.http") and _is_there("opentelemetry.sdk")):
        raise ValueError(
            "spans are to be sent (FLEXRUN_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT), and OpenTelemetry's"
            " libraries are not installed: pip install 'flexrun[otel]', or unset it"
        )
    return True


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it is in
        return False
