"""Runs the engine with a line changed, to see whether the simulation finds the bug that this makes.

The change is made as the module is imported; nothing is written anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class ChangeImpossible(Exception):
    """The text that is to be changed is not in the module, or more than once, or the module was imported before."""


@dataclass(frozen=True, slots=True)
class Change:
    """In the source of `module`, which has `before` once, `after` stands in its place."""

    module: str
    before: str
    after: str


class _Loader(SourceFileLoader):
    change: Change

    def get_code(self, fullname: str) -> CodeType:
        """The code of the changed source, past any cache. Raises ChangeImpossible."""
        source = Path(self.path).read_text(encoding="utf-8")
        times = source.count(self.change.before)
        if times != 1:
            raise ChangeImpossible(f"{self.path} has this {times} times: {self.change.before}")
        return self.source_to_code(source.replace(self.change.before, self.change.after).encode(), self.path)


class _Finder(MetaPathFinder):
    def __init__(self, change: Change) -> None:
        self._change = change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module that is changed; None for any other."""
        if fullname != self._change.module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
            spec.loader.change = self._change
        return spec


def make(change: Change) -> None:
    """Have the module imported with the change. Raises ChangeImpossible."""
    if change.module in sys.modules:
        raise ChangeImpossible(f"{change.module} is imported already")
    sys.meta_path.insert(0, _Finder(change))
