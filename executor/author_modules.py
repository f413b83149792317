"""Importing an author's own modules, which may be called as modules of ours: `schemas`, `planner`, `runs`.

Python keeps one module for each name, and ours are there first. So the modules below the folder of an author have
an `__import__` of their own (`__builtins__` of a module is what its functions use): it looks into that folder first,
as Python does for a script, and nobody else sees what it finds there. A module whose name is taken by another one is
kept as `flexrun_loaded_1.schemas`; all others under their own name.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_PREFIX = "flexrun_loaded_"

_roots: dict[str, AuthorFolder] = {}


class AuthorFolder(MetaPathFinder):
    """The modules below one folder."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path = [str(folder)]
        self._private = f"{_PREFIX}{number}"
        self._own_names: dict[str, str | None] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        namespace = ModuleType(self._private, f"The modules of {folder} whose names are taken by others.")
        namespace.__path__ = self._path
        sys.modules[self._private] = namespace

    def has(self, name: str) -> bool:
        """Whether the first part of a module's name is one of this folder."""
        return self._kept_name(name) is not None

    def import_module(self, name: str) -> ModuleType:
        """The module `name` of this folder. Raises what it raises, and ModuleNotFoundError."""
        kept = self._kept_name(name)
        if kept is None and PathFinder.find_spec(name.partition(".")[0], self._path) is not None:
            kept = name  # the folder is on the interpreter's own path as well
        if kept is None:
            raise ModuleNotFoundError(f"there is no module {name!r} in {self._path[0]}", name=name)
        return importlib.import_module(kept)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of this folder, by the name that it is kept under."""
        top, _, rest = fullname.partition(".")
        if top != self._private and self._own_names.get(top) != top:
            return None
        spec = PathFinder.find_spec(fullname, path if rest else self._path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _AuthorLoader(spec.loader.name, spec.loader.path, self._builtins)
        return spec

    def _kept_name(self, name: str) -> str | None:
        """What the module is called in `sys.modules`; None where it is none of this folder's."""
        top = name.partition(".")[0]
        if top not in self._own_names:
            self._own_names[top] = self._name_for(top)
        kept = self._own_names[top]
        return None if kept is None else f"{kept}{name[len(top) :]}"

    def _name_for(self, top: str) -> str | None:
        found = PathFinder.find_spec(top, self._path)
        if found is None:
            return None
        other = _found_elsewhere(top)
        if other is None:
            return top
        if found.origin is None or found.origin == other.origin:
            return None  # a folder of anything, or the very same module
        return f"{self._private}.{top}"

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names of `__import__`
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        kept = self._kept_name(name) if level == 0 else None
        if kept is None or kept == name:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(kept, globals, locals, fromlist, 0)
        importlib.import_module(kept)
        top = self._kept_name(name.partition(".")[0])
        return sys.modules[top or kept]


class _AuthorLoader(SourceFileLoader):
    """Runs a module with the `__import__` of its folder."""

    def __init__(self, fullname: str, path: str, its_builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = its_builtins

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._builtins
        super().exec_module(module)


def author_folder(folder: Path) -> AuthorFolder:
    """The modules below `folder`, the same object each time."""
    key = str(folder)
    if key not in _roots:
        _roots[key] = AuthorFolder(folder, len(_roots) + 1)
        sys.meta_path.insert(0, _roots[key])
    return _roots[key]


def _found_elsewhere(top: str) -> ModuleSpec | None:
    loaded = sys.modules.get(top)
    if loaded is not None:
        return loaded.__spec__ or ModuleSpec(top, None)
    for finder in sys.meta_path:
        if not isinstance(finder, AuthorFolder):
            spec = finder.find_spec(top, None)
            if spec is not None:
                return spec
    return None
