"""The bodies of what an operator does by hand to outstanding work and to dead letters."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import MAX_NAME_CHARS, Model, Note, Operator, Reference, RunId, flaw, refused
from schemas.vocabulary import WorkKind

MAX_ITEMS = 1_000

WorkId = Annotated[str, StringConstraints(min_length=38, max_length=600)]
"""`RUN:KIND:REF`, as lists of work have it."""

LetterId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS)]


def _one_of_two(ids: object, selection: object, name: str) -> None:
    if ids is not None and selection is not None:
        raise refused(flaw("contradiction", f"Send either {name} or a filter, not both.", "filter"))
    if ids is None and selection is None:
        raise refused(flaw("missing", f"Send {name}, or a filter."))


class WorkSelection(Model):
    """Which held work: what fits all that is said."""

    run_id: RunId | None = None
    queue: Reference | None = None
    kind: WorkKind | None = None
    worker: Reference | None = None
    state: Literal["claimed", "running", "parked", "callback"] | None = None


class ReleaseWorkBody(Model):
    """The body of `work/release`: `workIds`, or all that a `filter` selects, `limit` at most.

    `dryRun` changes nothing.
    """

    work_ids: Annotated[list[WorkId], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    filter: WorkSelection | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 200
    dry_run: bool = False
    reason: Note | None = None
    operator: Operator | None = None

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        _one_of_two(self.work_ids, self.filter, "workIds")
        if self.filter is not None and not self.filter.model_fields_set:
            raise refused(
                flaw("too_short", "An empty filter would take all work; name what it is about.", "filter")
            )
        return self


class LetterSelection(Model):
    """Which dead letters: of this queue, and whose reason has this text in it."""

    queue: Reference | None = None
    reason: Reference | None = None


class DeadLettersBody(Model):
    """Which dead letters: `ids`, or all that a `filter` selects, `limit` at most. `dryRun` changes nothing."""

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    filter: LetterSelection | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 200
    dry_run: bool = False
    operator: Operator | None = None

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        _one_of_two(self.ids, self.filter, "ids")
        return self


class RequeueLettersBody(DeadLettersBody):
    """The body of `dead-letters/requeue`."""

    reason: Note | None = None


class DropLettersBody(DeadLettersBody):
    """The body of `dead-letters/drop`; what is dropped is gone, so there is a reason."""

    reason: Annotated[Note, Field(min_length=1)]
