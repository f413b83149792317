"""What commands print as JSON where no endpoint has answered it: what is done in files, or at the database itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict

from schemas.base import OpenModel, RunId
from schemas.payloads import Erased
from schemas.usage import Usage


class Row(OpenModel):
    """A row whose keys are the names here, as its command has always printed them."""

    model_config = ConfigDict(alias_generator=None)


class DescribedSetting(Row):
    """A setting of `flexrun settings`; `flag` and `default` are empty where there is none.

    `reloads`: SIGHUP has a process read it again.
    """

    variable: str
    flag: str
    default: str
    what: str
    may_be_in_file: bool
    reloads: bool


class RunExported(OpenModel):
    """`flexrun runs export`: the header of the file, and where it is.

    `key` opens the events of a run that can be erased.
    """

    format: Literal["flexrun-run"]
    version: int
    flexrun: str
    schema_: int
    run_id: RunId
    events: int
    head_hash: str | None = None
    exported_at: str
    installation: str | None = None
    key: str | None = None
    erased: Erased | None = None
    file: str
    bytes: int


class TrialError(OpenModel):
    """Why a call gave no output."""

    code: str
    message: str


class CapabilityTried(OpenModel):
    """`flexrun capabilities try`: the output and its verdict, or why there is none."""

    capability_id: str
    version: str
    seconds: float
    verdict: Literal["valid", "invalid", "no_contract", "failed", "asked"]
    output: Any = None
    usage: Usage | None = None
    errors: list[dict[str, Any]] | None = None
    error: TrialError | None = None
    question: str | None = None
    options: list[dict[str, Any]] | None = None


class McpTool(OpenModel):
    """A tool of an MCP server, with its own schemas."""

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None


class McpTools(OpenModel):
    """`flexrun mcp tools`."""

    tools: list[McpTool]


class WebhookRemoved(OpenModel):
    """`flexrun webhooks remove`: the webhook's id."""

    removed: str


class TableSize(Row):
    """A table; `large_value_bytes` are its values that Postgres keeps apart."""

    name: str
    table_bytes: int
    large_value_bytes: int
    index_bytes: int
    total_bytes: int
    rows_about: int


class IndexSize(Row):
    """An index, and how often it was used since the database's statistics began."""

    name: str
    table_name: str
    bytes: int
    scans: int


class EventSize(Row):
    """The events of a type, as stored."""

    type: str
    events: int
    bytes: int
    largest_bytes: int


class DatabaseSizes(OpenModel):
    """`flexrun db sizes`; of a large log `sampledPercent` of the pages were read for `events`."""

    tables: list[TableSize]
    indexes: list[IndexSize]
    events: list[EventSize]
    sampled_percent: float


class PrunableRuns(OpenModel):
    """Runs that could be removed; `oldest` is when the first of them ended."""

    runs: int
    events: int
    oldest: datetime | None = None


class RemovedRuns(OpenModel):
    """Runs that were removed; `left` were being changed."""

    runs: int
    events: int
    left: int


class RunsPruned(OpenModel):
    """`flexrun db prune`; without `removed` nothing was."""

    dry_run: bool
    ended_before: datetime
    found: PrunableRuns
    removed: RemovedRuns | None = None


class FindingOfVerify(OpenModel):
    """Where the log is not as it was written, or a read model not what the log says; see docs/proof.md."""

    run_id: str
    seq: int | None = None
    cause: Literal["changed", "missing", "unhashed", "foreign", "cut", "count", "unfoldable", "row"]
    message: str


class CheckpointSeal(OpenModel):
    """The last line of a checkpoint; see docs/proof.md."""

    format: Literal["flexrun-checkpoint"]
    version: int
    at: str
    runs: int
    root: str
    public_key: str
    signature: str


class CheckpointWritten(CheckpointSeal):
    """`flexrun db checkpoint`."""

    file: str


class DatabaseRoles(OpenModel):
    """`flexrun db roles`: the role that serves, the one that reads, and those of them that were not there before."""

    app: str
    read: str
    created: list[str]


class DatabaseVerified(OpenModel):
    """`flexrun db verify`."""

    runs: int
    events: int
    unhashed: int
    erased: int
    findings: list[FindingOfVerify]
    differences: list[str]
    checkpoint: CheckpointSeal | None = None


class RunRestored(OpenModel):
    """`flexrun db restore`: how many events of the run were written from the file, and how many removed."""

    run_id: RunId
    events: int
    head_hash: str | None = None
    dry_run: bool
    written: int
    removed: int


class LogAdopted(OpenModel):
    """`flexrun db adopt`: how many events and webhooks were numbered anew."""

    events: int
    webhooks: int


class KeysRewrapped(OpenModel):
    """`flexrun db rewrap`: how many keys of runs were wrapped anew, and how many were right already."""

    wrapped: int
    kept: int


class MigrationsApplied(OpenModel):
    """`flexrun db migrate`: the names of those that were missing; `missing` with `--dry-run`. Older processes cannot
    go on with those that are `incompatible`.
    """

    applied: list[str]
    missing: list[str]
    incompatible: list[str]


class ReadModelsRebuilt(OpenModel):
    """`flexrun db rebuild`."""

    rebuilt: bool
