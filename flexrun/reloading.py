"""Reading settings again on SIGHUP: those that are in files, which FLEXRUN_SETTINGS_FILE and others name.

The environment and the flags of a process cannot change while it runs. Settings that are wrong are refused as a whole,
and what was valid before stays. One that has changed and that this process cannot take over is named in the log.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from flexrun.logs import set_log_level
from flexrun.secrets import know_settings

if TYPE_CHECKING:
    from flexrun.engine import Engine
    from flexrun.settings import Settings

RELOADED = (
    "tokens",
    "tls_cert",
    "tls_key",
    "roles",
    "certificates",
    "policies",
    "log_level",
    "backlog_limit",
    "limits",
    "ping_seconds",
    "record_reads",
    "stop_notice_seconds",
)
"""The settings that are read again; all others take a restart."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("flexrun")


class Reloading:
    """Reads the settings of an engine again whenever it is asked."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._asked = False

    def ask(self) -> None:
        """Read them now, or as soon as there is an engine."""
        if self._engine is None:
            self._asked = True
            return
        before = self._engine.settings
        try:
            now = before.again()
            settings = _taken_over(before, now)
            changed = self._engine.apply(settings)
        # What is wrong in a file ends no process.
        except Exception as refused:  # noqa: BLE001 - see above
            reason = reason_of(refused)
            _log.error("settings_refused", reason=reason, kept="those that were valid before")
            self._engine.note_reload([], refused=reason)
            return
        set_log_level(settings.log_level)
        _log.info("settings_reloaded", changed=changed)
        if waiting := need_restart(before, now):
            variables = [f"FLEXRUN_{name.upper()}" for name in waiting]
            _log.warning("settings_need_restart", message="changed, and needs a restart", settings=variables)
        self._engine.note_reload(changed)

    def attach(self, engine: Engine) -> None:
        """From now on there is one."""
        self._engine = engine
        if self._asked:
            asyncio.get_running_loop().call_soon(self.ask)


def read_again(settings: Settings) -> Settings:
    """These settings with what their files say now. Raises ValidationError, SecretRefused."""
    return _taken_over(settings, settings.again())


def need_restart(before: Settings, now: Settings) -> list[str]:
    """The settings that have changed and are not read again."""
    return [
        name
        for name in type(before).model_fields
        if name not in RELOADED and getattr(before, name) != getattr(now, name)
    ]


def _taken_over(settings: Settings, now: Settings) -> Settings:
    know_settings(now)
    return settings.model_copy(update={name: getattr(now, name) for name in RELOADED})


def valid_again(settings: Settings) -> Settings:
    """The same for an engine that is started again after its files have changed; where they are wrong, as it was."""
    from flexrun.roles.identity import tokens_of  # noqa: PLC0415 - for a process that has a gateway
    from gateway.runs.acceptance import read_house  # noqa: PLC0415 - the same

    try:
        now = read_again(settings)
        tokens_of(now)
        read_house(now.policies)
    # What is wrong in a file does not keep an engine from starting again.
    except Exception as refused:  # noqa: BLE001 - see above
        _log.error("settings_refused", reason=reason_of(refused), kept="those that were valid before")
        return settings
    return now


def reason_of(refused: Exception) -> str:
    """Why settings are refused, without their values."""
    if isinstance(refused, ValidationError):
        places = (".".join(map(str, item["loc"])).upper() for item in refused.errors())
        return "; ".join(f"FLEXRUN_{place} is wrong" for place in places)
    return str(refused) or type(refused).__name__
