"""Finding the capabilities of Python modules: those that `--load` names, and those of installed packages."""

from __future__ import annotations

import importlib
import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from executor.author_modules import author_folder
from executor.safe_text import describe_error

if TYPE_CHECKING:
    from flexrun_sdk import CapabilityFunction

ENTRY_POINTS = "flexrun.capabilities"
"""The group of entry points of installed packages: each names a module, or a function of one."""


class LoadFailed(ValueError):
    """A module could not be imported, or has no capability; the message says where, by file and line."""


def load(modules: Sequence[str], folder: Path | None = None) -> list[CapabilityFunction]:
    """The capabilities of `modules` and of installed packages, each once.

    A module is `package.module`, looked for below `folder` (the current one) and then among what is installed, or the
    path of a file. Runs the modules' code. Raises LoadFailed.
    """
    installed = entry_points(group=ENTRY_POINTS)
    if not modules and not installed:
        return []
    if find_spec("flexrun_sdk") is None:
        raise LoadFailed("capabilities are loaded with the package flexrun-sdk, which is not installed")
    found = [each for name in modules for each in _of_module(_import(name, folder or Path.cwd()), name)]
    found += [each for entry in installed for each in _of_entry_point(entry)]
    return list({id(each): each for each in found}.values())


def _of_module(module: ModuleType, name: str) -> list[CapabilityFunction]:
    from flexrun_sdk import capabilities_in  # noqa: PLC0415 - only where there is something to load

    found = capabilities_in(module)
    if not found:
        raise LoadFailed(f"{name} has no function that is decorated with @capability ({module.__file__})")
    return found


def _of_entry_point(entry: EntryPoint) -> Iterable[CapabilityFunction]:
    from flexrun_sdk import capability_of  # noqa: PLC0415 - the same

    name = f"the entry point {entry.name} = {entry.value}"
    try:
        loaded: object = entry.load()
    except Exception as error:
        raise _failure(name, error) from error
    if isinstance(loaded, ModuleType):
        return _of_module(loaded, name)
    function = capability_of(loaded)
    if function is None:
        raise LoadFailed(f"{name} is neither a module nor a function that is decorated with @capability")
    return [function]


def _import(name: str, folder: Path) -> ModuleType:
    try:
        if name.endswith(".py") or "/" in name:
            return _import_file(folder, Path(name))
        own = author_folder(folder.resolve())
        return own.import_module(name) if own.has(name) else importlib.import_module(name)
    except LoadFailed:
        raise
    except (Exception, SystemExit) as error:
        raise _failure(name, error) from error


def _import_file(folder: Path, path: Path) -> ModuleType:
    """The file as a module; where it is part of a package, as one of that package."""
    file = (folder / path.expanduser()).resolve()
    if not file.is_file():
        raise LoadFailed(f"there is no file {file}")
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").is_file() and root.name.isidentifier():
        root, parts = root.parent, [root.name, *parts]
    return author_folder(root).import_module(".".join(parts))


def _failure(name: str, error: BaseException) -> LoadFailed:
    """Where the author's code failed: a syntax error's own place, else the last line of it that was run."""
    if isinstance(error, SyntaxError) and error.filename:
        return LoadFailed(
            f"{name} cannot be imported: {error.filename}:{error.lineno}: {describe_error(error)}"
        )
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if not each.filename.startswith(_OTHERS)]
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    return LoadFailed(f"{name} cannot be imported: {place}{describe_error(error)}")


_OTHERS = (
    "<",
    str(Path(__file__).parent),
    *(str(path) for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}),
)
"""Where code is that is not the author's own."""
