"""What can be seen on this machine alone: the settings, and the disk of the embedded database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from flexrun.doctor.findings import Finding, ok, problem, warning
from flexrun.payload_keys import keyring_of
from flexrun.secrets import SECRETS, SecretRefused, check_addresses, check_link_secret
from flexrun.settings import Settings
from flexrun.unknown_settings import known_variables, unknown_settings

LOW_DISK_BYTES = 2_000_000_000
NO_DISK_BYTES = 200_000_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST_LINE, _PORT_LINE = 4, 3


def look_at_settings(settings: Settings) -> list[Finding]:
    """Unknown variables, and settings that contradict each other."""
    known = known_variables(Settings.model_fields, SECRETS)
    found = [
        warning("settings", "unknown", sentence, "correct or remove it: servers do not start with it")
        for sentence in unknown_settings(os.environ, known)
    ]
    found += _contradictions(settings)
    return found or [ok("settings", "all", "all are known, none contradicts another")]


def _contradictions(settings: Settings) -> Iterator[Finding]:
    for check in (check_addresses, check_link_secret, keyring_of):
        try:
            check(settings)
        except SecretRefused as refused:
            yield problem("settings", "refused", str(refused), "mend it: servers do not start with it")
    asks = (settings.tokens, settings.oidc_issuer, settings.certificates)
    if asks == (None, None, None) and settings.host not in _LOOPBACK:
        seen = f"FLEXRUN_HOST is {settings.host}, and there is no FLEXRUN_TOKENS"
        yield problem(
            "settings", "open access", seen, "set FLEXRUN_TOKENS: a gateway does not start like that"
        )
    if settings.watchdog_exit_seconds >= settings.lease_seconds:
        seen = (
            f"FLEXRUN_WATCHDOG_EXIT_SECONDS ({settings.watchdog_exit_seconds:g}) is not below"
            f" FLEXRUN_LEASE_SECONDS ({settings.lease_seconds:g})"
        )
        advice = "lower it: work beside the work that stood still is charged, too"
        yield warning("settings", "watchdog", seen, advice)
    if settings.broker_url.startswith("amqp") and not settings.database_url:
        seen = "FLEXRUN_BROKER_URL names RabbitMQ, and FLEXRUN_DATABASE_URL is not set"
        yield warning(
            "settings", "database", seen, "only flexrun up works like that, with its embedded database"
        )


def look_at_disk(settings: Settings) -> list[Finding]:
    """The disk under the embedded database; that of another one is its owner's to watch."""
    if settings.database_url:
        return []
    folder = settings.data.expanduser()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1e9:,.1f} GB free at {folder}"
    if free < NO_DISK_BYTES:
        return [problem("disk", "embedded database", seen, "make room: Postgres stops when the disk is full")]
    if free < LOW_DISK_BYTES:
        return [warning("disk", "embedded database", seen, "make room, or remove old runs: flexrun db prune")]
    return [ok("disk", "embedded database", seen)]


def embedded_url(data: Path) -> str | None:
    """The address of the embedded database that runs on this data folder; None where none does."""
    from eventstore.rights import APP_ROLE  # noqa: PLC0415 - only where there is no database URL
    from flexrun.embedded.postgres import DATABASE  # noqa: PLC0415 - the same

    try:
        lines = (data.expanduser() / "postgres" / "postmaster.pid").read_text().splitlines()
        host, port = lines[_HOST_LINE], lines[_PORT_LINE]
    except (OSError, IndexError):
        return None
    return f"postgresql://{APP_ROLE}@/{DATABASE}?host={quote(host, safe='')}&port={int(port)}"
