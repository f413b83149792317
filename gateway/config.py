"""The settings of a gateway."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from eventstore.import_lines import MOST
from schemas.config import Count, Period, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Limits and times; durations are in seconds unless the name says otherwise."""

    body_limit_bytes: Count = 2 * 1024 * 1024
    head_seconds: Period = 10.0
    """How long the head of a request may take, from the start of its connection or from its first byte, and how long a
    TLS handshake may."""

    body_seconds: Seconds = 30.0
    """How long a body may take to arrive."""

    import_limit_bytes: Count = 256 * 1024 * 1024
    """How large the file of a run that is imported may be."""

    import_unpacked_bytes: Count = MOST.bytes
    """What such a file may unpack to."""

    import_events: Count = MOST.events
    """How many events a run that is imported may have."""

    import_line_bytes: Count = MOST.line_bytes
    """How large one of its events may be."""

    import_seconds: Seconds = 600.0
    """How long such a file may take to arrive, and then, in CPU time, to be read and stored."""

    linger_seconds: Seconds = 2.0
    """How long the rest of a body that is not wanted is thrown away, so that its sender gets to read the answer."""

    ping_seconds: Period = 15.0
    """How often an idle stream gets a comment, so that no proxy takes it for dead."""

    stall_seconds: Seconds = 30.0
    """How long a reader may take nothing at all before it is dropped (it comes back with Last-Event-ID)."""

    retry_ms: Count = 1_000
    """The `retry:` hint of every stream."""

    backlog_limit: Count = 50_000
    """Unstarted work in the whole system beyond which new runs are answered 503."""

    backlog_sample_seconds: Seconds = 0.25
    """How old the last count of that work may be; 0 counts for every run."""

    limits: str | None = None
    """What tenants and callers may take for whom nothing else is set (`schemas.limits.parse_limits`)."""

    ready_seconds: Seconds = 2.0
    """How long readiness waits for the database."""

    shutdown_seconds: Seconds = 15.0
    """How long a shutdown waits for requests other than streams."""

    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call, as a browser writes them (`https://app.example`), or `*`."""

    trusted_proxies: tuple[str, ...] = ()
    """Networks whose proxies say truly whom they forward (`X-Forwarded-For`)."""

    wrong_tokens_a_minute: Count = 30
    """How many different wrong tokens an address may send at once, and how many more in each minute."""

    connections_per_address: Count = 4_000
    """How many connections one address may have open, where it is not that of a trusted proxy."""

    metrics_open: bool = False
    """Whether `/metrics` asks for no token where there are tokens."""

    webhook_allow_private: bool = False
    """Whether a webhook may lead to loopback, link-local, private and reserved addresses."""

    record_reads: bool = False
    """Whether reads are in the operations log too."""

    public_url: str | None = None
    """Where people reach this gateway (`https://flexrun.example`), for links; without it, where the caller did."""
