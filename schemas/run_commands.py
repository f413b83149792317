"""What the commands of the command line print as JSON where no endpoint has answered it: reports on many runs."""

from typing import Literal

from schemas.base import OpenModel, RunId
from schemas.vocabulary import RunStatus

BulkCommand = Literal["abort", "pause", "resume", "retry", "fork", "set-priority"]


class BulkResult(OpenModel):
    """What became of the command for one run: `status` where it was done, the problem's `code` where not.

    `newRunId` is the run that a retry or fork has made.
    """

    run_id: str
    done: bool
    status: RunStatus | None = None
    new_run_id: RunId | None = None
    code: str | None = None
    message: str | None = None


class BulkReport(OpenModel):
    """`flexrun runs abort` and its like with several runs or `--filter`, with `--json`."""

    command: BulkCommand
    matched: int
    done: int
    refused: int
    results: list[BulkResult]


class BulkCount(OpenModel):
    """The same with `--dry-run`: which runs it would be. Statuses are those of runs that filters have found."""

    command: BulkCommand
    matched: int
    by_status: dict[RunStatus, int]
    runs: list[str]
