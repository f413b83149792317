"""Reading settings again on SIGHUP: those that are in files, FLEXRUN_TOKENS_FILE and the file of FLEXRUN_POLICIES.

The environment and the flags of a process cannot change while it runs. Settings that are wrong are refused as a whole,
and what was valid before stays.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from flexrun.secrets import know_settings

if TYPE_CHECKING:
    from flexrun.engine import Engine
    from flexrun.settings import Settings

RELOADED = ("tokens", "policies")
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
        try:
            settings = read_again(self._engine.settings)
            changed = self._engine.apply(settings)
        # What is wrong in a file ends no process.
        except Exception as refused:  # noqa: BLE001 - see above
            reason = reason_of(refused)
            _log.error("settings_refused", reason=reason, kept="those that were valid before")
            self._engine.note_reload([], refused=reason)
            return
        _log.info("settings_reloaded", changed=changed)
        self._engine.note_reload(changed)

    def attach(self, engine: Engine) -> None:
        """From now on there is one."""
        self._engine = engine
        if self._asked:
            asyncio.get_running_loop().call_soon(self.ask)


def read_again(settings: Settings) -> Settings:
    """These settings with what their files say now. Raises ValidationError, SecretRefused."""
    now = settings.again()
    know_settings(now)
    return settings.model_copy(update={name: getattr(now, name) for name in RELOADED})


def valid_again(settings: Settings) -> Settings:
    """The same for an engine that is started again after its files have changed; where they are wrong, as it was."""
    from gateway.auth import Tokens  # noqa: PLC0415 - for a process that has a gateway
    from gateway.runs.acceptance import read_house  # noqa: PLC0415 - the same

    try:
        now = read_again(settings)
        Tokens.parse(now.tokens.get_secret_value() if now.tokens else None)
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
