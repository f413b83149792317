"""`flexrun db verify`: whether the log is as it was written, and the read models what the log says.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import EXIT_NO, errors, run_async, say, stop
from schemas.visible import visible, visible_json

if TYPE_CHECKING:
    from eventstore.checkpoint import Seal
    from eventstore.verify import Finding, Verified

AfterFlag = Annotated[
    str | None, typer.Option("--after", help="go on behind this run, where a verify stopped")
]


@dataclass(slots=True)
class _Report:
    """What a verify has come to so far."""

    runs: int = 0
    events: int = 0
    unhashed: int = 0
    erased: int = 0
    after: str | None = None
    checkpoint: Seal | None = None
    findings: list[Finding] = field(default_factory=list["Finding"])

    def add(self, verified: Verified) -> None:
        self.runs += verified.run_count
        self.events += verified.events
        self.unhashed += verified.unhashed
        self.after = verified.runs.until
        self.findings += verified.findings

    def to_wire(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "events": self.events,
            "unhashed": self.unhashed,
            "erased": self.erased,
            "findings": [
                {"runId": each.run_id, "seq": each.seq, "cause": each.cause, "message": str(each)}
                for each in self.findings
            ],
            "differences": [str(each) for each in self.findings],
            "checkpoint": self.checkpoint.to_wire() if self.checkpoint is not None else None,
        }


CheckpointFlag = Annotated[
    Path | None, typer.Option("--checkpoint", help="a file of db checkpoint: nothing of it may be missing")
]
KeyFlag = Annotated[
    str | None, typer.Option("--public-key", help="the key (hex) that must have signed the checkpoint")
]


def verify(
    database: DatabaseFlag = None,
    after: AfterFlag = None,
    checkpoint: CheckpointFlag = None,
    public_key: KeyFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the hash chain of every run, and the read models against the log; exit 1 where something was changed.

    Changes nothing and may run while runs go on. Names the run and the event of what was changed, is missing, was
    inserted or cut off. Exit 3 where that cannot be told. What it proves: docs/proof.md.

    Example: flexrun db verify --database postgresql://flexrun@db/flexrun --json
    """
    from eventstore.store import is_run_id  # noqa: PLC0415 - see the module's docstring

    url = database_url(database)
    if after is not None and not is_run_id(after):
        stop(f"--after takes the id of a run, and {visible(after)} is none")
    report = _Report()
    if checkpoint is not None:
        report.checkpoint = _seal_of(checkpoint, public_key)
    say("Reading the log …", "dim")
    with failure_told("Not everything was verified" if after else "Nothing was verified"):
        run_async(_verify(url, after, report, as_json))
        if checkpoint is not None:
            run_async(_compare(url, checkpoint, report, as_json))
    if as_json:
        typer.echo(visible_json(orjson.dumps(report.to_wire())))
    else:
        typer.echo(_in_words(report))
    if report.findings:
        raise typer.Exit(EXIT_NO)


async def _verify(url: str, after: str | None, report: _Report, as_json: bool) -> None:
    from eventstore import verify as verifying  # noqa: PLC0415 - see the module's docstring

    total = await verifying.about_how_many_events(url)
    report.erased = await verifying.how_many_erased(url)
    found = verifying.verify(
        url, after=after or verifying.FIRST_RUN, processes=verifying.processes_for(total)
    )
    try:
        with errors.status("Reading the log …") as status:
            async with aclosing(found) as ranges:
                async for verified in ranges:
                    report.add(verified)
                    status.update(f"{report.events} of about {total} events, {report.runs} runs")
                    if not as_json:
                        for each in verified.findings:
                            typer.echo(visible(str(each)))
    except asyncio.CancelledError:
        if report.after is not None:
            say(f"Stopped. Go on with: flexrun db verify --after {report.after}")
        raise


def _seal_of(checkpoint: Path, public_key: str | None) -> Seal:
    from eventstore.checkpoint import CheckpointRefused, read_seal  # noqa: PLC0415 - see the module's docstring

    try:
        return read_seal(checkpoint, public_key)
    except CheckpointRefused as refused:
        stop(f"{visible(str(checkpoint))}: {visible(str(refused))}", EXIT_NO)


async def _compare(url: str, checkpoint: Path, report: _Report, as_json: bool) -> None:
    from eventstore.checkpoint import lost_since  # noqa: PLC0415 - see the module's docstring
    from eventstore.verify import of_lost  # noqa: PLC0415 - the same

    async with aclosing(lost_since(url, checkpoint)) as pages:
        async for page in pages:
            found = [of_lost(each) for each in page]
            report.findings += found
            if not as_json:
                for each in found:
                    typer.echo(visible(str(each)))


def _in_words(report: _Report) -> str:
    counted = f"{report.runs} runs, {report.events} events"
    if report.unhashed:
        counted += f" ({report.unhashed} of earlier versions have no hash)"
    if report.erased:
        counted += f", {report.erased} runs erased"
    if report.checkpoint is not None:
        counted += f", {report.checkpoint.runs} runs of the checkpoint of {report.checkpoint.at}"
    if report.findings:
        return f"{len(report.findings)} findings in {counted}"
    return f"{counted}: the log is as it was written, the read models are what the log says"
