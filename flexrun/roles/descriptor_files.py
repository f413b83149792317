"""Files of descriptors: read when a process starts, and again when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog
from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - one of its types needs trio

from contracts.problems import CheckerUnavailable
from eventstore.background import end_background, start_background
from eventstore.errors import StoreUnavailable
from eventstore.lifecycle import refuse_second_start
from eventstore.pause import DoublingPause
from executor.threads import run_in_thread
from flexrun.roles.parts import RoleParts
from flexrun.settings import Settings
from registry.facet_registrar import FacetRegistrar
from registry.files import DescriptorFile
from registry.folder import DescriptorFolder
from registry.registrar import Registrar

WATCH_STEP_MS = 50
WATCH_DEBOUNCE_MS = 300
"""How long several changes are taken together: an editor writes a file in several steps."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class DescriptorFiles:
    """Keeps the registry as the files say. A mistake is logged with file and line, and what was valid before stays."""

    def __init__(self, folder: DescriptorFolder) -> None:
        self._folder = folder
        self._read: tuple[Sequence[DescriptorFile], Sequence[str]] | None = None
        self._mistakes: Sequence[str] = ()
        self._pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the files, and watch them from then on."""
        refuse_second_start(self, started=self._task is not None)
        await self.read()
        self._task = start_background("descriptor-files", self._follow())

    async def close(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            await end_background(self._task)

    async def read(self) -> None:
        """Register what the files say, where they say something else than before.

        Where database or checker are away that is tried again until they are back. A mistake may end without a change
        of its file, such as a facet that a loaded function brings: files with mistakes are tried again.
        """
        files, mistakes = found = await run_in_thread(self._folder.read)
        if found == self._read and not self._mistakes:
            return
        while True:
            try:
                report = await self._folder.register(files, mistakes)
            except (StoreUnavailable, CheckerUnavailable) as outage:
                _log.warning("capability_files_wait", reason=str(outage))
                await self._pause.wait()
                continue
            self._pause.reset()
            if found == self._read and report.mistakes == self._mistakes:
                return
            self._read, self._mistakes = found, report.mistakes
            for mistake in report.mistakes:
                _log.error("capability_file_wrong", mistake=mistake)
            _log.info("capability_files_read", registered=report.registered, mistakes=len(report.mistakes))
            return

    async def _follow(self) -> None:
        while True:
            async for _ in self._changes():
                try:
                    await self.read()
                # What nobody foresaw in a file stops nothing that runs.
                except Exception:  # noqa: BLE001 - see above
                    _log.exception("capability_files_failed")
            await self._pause.wait()  # a folder has gone, or there is none yet

    async def _changes(self) -> AsyncIterator[object]:
        try:
            async for changes in awatch(
                *self._watched(),
                debounce=WATCH_DEBOUNCE_MS,
                step=WATCH_STEP_MS,
                watch_filter=None,
                recursive=False,
                yield_on_timeout=True,
                rust_timeout=int(_LONGEST_PAUSE_SECONDS * 1000),
            ):
                yield changes
                if any(not each.exists() for each in self._watched()):
                    return
        except (OSError, RuntimeError) as error:
            _log.warning("capability_files_unwatched", reason=str(error))

    def _watched(self) -> list[Path]:
        """The folders in which something may change: an editor that saves a file puts another one in its place."""
        return sorted({path if path.is_dir() else path.absolute().parent for path in self._folder.paths})


def named_paths(settings: Settings) -> list[Path]:
    """What the setting names."""
    return [Path(path).expanduser() for path in settings.capabilities]


async def start_files(settings: Settings, parts: RoleParts) -> None:
    """Register what the files that are named say, and what they say later."""
    contracts = await parts.contracts()
    folder = DescriptorFolder(
        named_paths(settings),
        Registrar(parts.store, parts.facets, contracts),
        FacetRegistrar(parts.store, parts.facets, contracts),
        parts.worker,
    )
    files = DescriptorFiles(folder)
    await files.start()
    parts.shutdown.add("descriptor-files", files.close)
