"""`flexrun doctor` of a site, as a process, and what it found."""

from __future__ import annotations

from typing import Any

import orjson

from flexrun.doctor.findings import DoctorReport
from tests.support.cli import Done, run
from tests.support.processes import Setting


def report_of(done: Done) -> dict[str, Any]:
    """The document, which has the shape of `DoctorReport`; the exit status says whether there is a problem."""
    document = orjson.loads(done.out)
    DoctorReport.model_validate(document)
    assert done.status == (1 if document["status"] == "problem" else 0), done.err
    return document


def found(document: dict[str, Any], area: str, check: str) -> dict[str, Any]:
    """The finding of this check."""
    return next(each for each in document["findings"] if (each["area"], each["check"]) == (area, check))


def troubles(document: dict[str, Any]) -> list[tuple[str, str]]:
    """What is a problem: area and check. The tests' database is not durable, on purpose."""
    named = [(each["area"], each["check"]) for each in document["findings"] if each["level"] == "problem"]
    return [each for each in named if each != ("database", "durability")]


async def doctor(setting: Setting, *more: str, **other: str) -> dict[str, Any]:
    """What the doctor says of a site."""
    settings = {
        "DATABASE_URL": setting.database_url,
        "BROKER_URL": setting.broker_url,
        "NAMESPACE": setting.namespace,
        **other,
    }
    return report_of(await run("doctor", "--json", *more, settings=settings))
