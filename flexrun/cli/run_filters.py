"""Which runs a command is about: the flags of `runs list`, and the same names in `--filter NAME=VALUE`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flexrun.api import API
from flexrun.cli.context import Document, query_text
from flexrun.cli.durations import FORMS, seconds_of
from flexrun.cli.shared import stop
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

PAGE_RUNS = 200
PAGES_WITHOUT_A_RUN = 50
"""How many pages in a row may be empty before a search that is to find a few runs says how far it looked."""

RunQuery = dict[str, object]

FILTERS: Mapping[str, str] = {
    "status": "status",
    "objective": "objective",
    "client": "clientId",
    "label": "label",
    "thread": "threadId",
    "capability": "capabilityId",
    "older-than": "createdBefore",
    "newer-than": "createdAfter",
    "waiting-for": "waitingFor",
    "submitted-by": "submittedBy",
    "error": "errorCode",
    "imported": "imported",
}
"""Name of a filter → parameter of `GET /api/v1/flex/runs`."""

_AGES = frozenset({"older-than", "newer-than"})


def run_query(filters: Mapping[str, object]) -> RunQuery:
    """The query for filters by name, without those that have no value. Ages count from now, by this machine's clock."""
    now = datetime.now(UTC)
    query: RunQuery = {}
    for name, given in filters.items():
        if given not in (None, []):
            if isinstance(given, bool):
                query[FILTERS[name]] = "true" if given else "false"
                continue
            is_age = name in _AGES
            query[FILTERS[name]] = (
                (now - timedelta(seconds=seconds_of(str(given)))).isoformat() if is_age else given
            )
    return query


def parse_filters(texts: Iterable[str]) -> dict[str, object]:
    """Filters by name, from `NAME=VALUE`; `status` may be there more than once."""
    found: dict[str, object] = {}
    statuses: list[str] = []
    for text in texts:
        name, equals, given = text.partition("=")
        if not equals or name not in FILTERS:
            stop(
                f"{visible(text)!r} is no filter: it has the form NAME=VALUE, and NAME is one of {', '.join(FILTERS)}."
            )
        if name == "status":
            statuses.append(given)
        elif name in found:
            stop(f"--filter {name} is there twice; only status may be.")
        else:
            found[name] = given
    return found | ({"status": statuses} if statuses else {})


def age_help(which: str) -> str:
    """The help of `--older-than` and `--newer-than`."""
    return f"only runs made {which} than this: {FORMS}"


async def pages(
    client: GatewayClient, query: RunQuery, *, cursor: str | None = None, page: int = PAGE_RUNS
) -> AsyncIterator[Document]:
    """The pages of a list, one after the other, empty ones included."""
    while True:
        answer: Document = await client.call(
            "GET", f"{API}/runs" + query_text({**query, "limit": page, "cursor": cursor})
        )
        yield answer
        cursor = answer.get("nextCursor")
        if cursor is None:
            return


def check_age(text: str | None) -> str | None:
    """The callback of flags with an age. Raises typer.BadParameter."""
    if text is not None:
        seconds_of(text)
    return text
