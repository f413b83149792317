"""What the commands of the command line print as JSON where no endpoint has answered it: reports on many runs."""

from typing import Literal

from schemas.base import OpenModel, RunId
from schemas.vocabulary import RunStatus

BulkCommand = Literal["abort", "pause", "resume", "retry", "fork", "set-priority", "erase"]


class BulkResult(OpenModel):
    """What became of the command for one run: `status` where it was done, the problem's `code` where not.

    `newRunId` is the run that a retry or fork has made. Of `runs erase`: whether it can be erased, whether it is,
    and the runs that were made from it and still have copies of its data.
    """

    run_id: str
    done: bool
    status: RunStatus | None = None
    new_run_id: RunId | None = None
    code: str | None = None
    message: str | None = None
    erasable: bool | None = None
    erased: bool | None = None
    copies: list[RunId] | None = None


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


class EraseCount(OpenModel):
    """`flexrun runs erase --dry-run --json`: what would be erased, what not and why.

    `runs` would be erased; `copies` are runs that were made from these, still have data, and are not among them;
    `refused` are runs of which nothing was found out.
    """

    command: Literal["erase"]
    matched: int
    erasable: int
    in_progress: int
    erased_before: int
    without_key: int
    runs: list[RunId]
    copies: list[RunId]
    refused: list[BulkResult]
