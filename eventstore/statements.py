"""The SQL of the store: one statement, one file in a folder of `eventstore/sql/`, named and described at its head."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> bytes:
    """The text of `eventstore/sql/<name>.sql` without the comment at its head; `name` is such as `runs/list`.

    Raises FileNotFoundError.
    """
    text = (files("eventstore") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines).strip().encode()


@cache
def statement_names() -> tuple[str, ...]:
    """The names of all statements, sorted."""
    folders = [folder for folder in (files("eventstore") / "sql").iterdir() if folder.is_dir()]
    return tuple(
        sorted(
            f"{folder.name}/{path.name.removesuffix('.sql')}"
            for folder in folders
            for path in folder.iterdir()
            if path.name.endswith(".sql")
        )
    )


def read_all() -> None:
    """Read every statement now, so that a process that has run out of file descriptors still extends its leases."""
    for name in statement_names():
        statement(name)
