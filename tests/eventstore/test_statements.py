"""The statements of `eventstore/sql/` and the code that names them agree."""

from __future__ import annotations

import re
from pathlib import Path

from eventstore.statements import statement, statement_names

ROOT = Path(__file__).parents[2]
FOLDERS = {name.partition("/")[0] for name in statement_names()}
PACKAGES = ("eventstore", "broker", "flexrun", "gateway", "planner", "executor", "webhooks")


def names_in_code() -> set[str]:
    """Every string in our packages that has the form of a statement's name."""
    quoted = re.compile(rf'"((?:{"|".join(FOLDERS)})/[a-z_]+)"')
    return {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in quoted.findall(path.read_text(encoding="utf-8"))
    }


def test_every_statement_is_used_and_every_name_in_the_code_is_a_statement() -> None:
    assert names_in_code() == set(statement_names())


def test_each_file_says_its_name_and_what_it_does_at_its_head() -> None:
    for name in statement_names():
        text = (ROOT / "eventstore" / "sql" / f"{name}.sql").read_text(encoding="utf-8")
        assert re.match(rf"-- {name}: \S", text), name
        assert statement(name), name
