"""A folder of an author that is on the interpreter's own path, as a checkout is where flexrun is developed."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.author_modules import AuthorFolder


def test_a_module_of_a_folder_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "found_twice.py").write_text("ANSWER = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    folder = AuthorFolder(tmp_path, 90_001)
    assert folder.import_module("found_twice").ANSWER == 42
    with pytest.raises(ModuleNotFoundError, match="there is no module 'nowhere'"):
        folder.import_module("nowhere")
