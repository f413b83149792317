"""docs/walkthrough.md and docs/contributing.md name files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_FILES = 24

_STEP = re.compile(r"`([\w/]+\.py)` `([\w.]+)`")


def _defined(file: str) -> set[str]:
    """The names that a module defines: functions, classes, and methods as `Class.method`."""
    found: set[str] = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {f"{node.name}.{method.name}" for method in methods}
    return found


def _steps(text: str) -> list[tuple[str, str]]:
    return _STEP.findall(text)


def test_each_step_of_the_walkthrough_exists() -> None:
    steps = _steps((DOCS / "walkthrough.md").read_text())
    assert len(steps) > 50
    assert [(file, name) for file, name in steps if name not in _defined(file)] == []


@pytest.mark.parametrize("story", ["A POST, until its first frame", "A node's result, until `complete`"])
def test_a_story_enters_few_files(story: str) -> None:
    text = (DOCS / "walkthrough.md").read_text()
    section = text.split(f"## {story}\n")[1].split("\n## ")[0]
    assert 15 < len({file for file, _ in _steps(section)}) <= MOST_FILES


@pytest.mark.parametrize("page", ["walkthrough.md", "contributing.md", "design.md", "glossary.md"])
def test_each_path_on_a_page_exists(page: str) -> None:
    paths = re.findall(r"`((?:[a-z0-9_]+/)+[\w.]+\.(?:py|sql|md|json|toml))`", (DOCS / page).read_text())
    known = {path for path in paths if (ROOT / path).exists()}
    assert [path for path in paths if path not in known] == []
