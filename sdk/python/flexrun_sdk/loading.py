"""Loading the modules and files that hold an author's capabilities."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from flexrun_sdk.errors import CapabilityMistake


def load(name: str) -> ModuleType:
    """A module by its name (`package.module`), or a file (`./my_capabilities.py`). Raises CapabilityMistake."""
    if name.endswith(".py") or "/" in name:
        return _load_file(Path(name))
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise CapabilityMistake(f"there is no module {name!r}") from None
        raise


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CapabilityMistake(f"there is no file {path}")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CapabilityMistake(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
