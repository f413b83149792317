"""What the commands for people and for run control share: flags, one call to the gateway, tables and JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import quote, urlencode

import orjson
import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from flexrun.cli.shared import command, load_settings, open_client, run_async, stop
from flexrun.cli.tables import FittedTable
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused
from schemas.visible import visible, visible_json

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

Document = dict[str, Any]

_UNFOLDED_WIDTH = 10_000
_BLOCKS = frozenset({"instructions"})
"""Facts that have a line for each of their parts."""

Query = Mapping[str, object | Sequence[object] | None]

UrlFlag = Annotated[str | None, typer.Option("--url", help="the gateway's address (FLEXRUN_URL)")]
TokenFlag = Annotated[str | None, typer.Option("--token", help="bearer token (FLEXRUN_TOKEN)")]
JsonFlag = Annotated[bool, typer.Option("--json", help="print the gateway's answer as JSON")]
NoteFlag = Annotated[str | None, typer.Option("--note", help="a remark for the log")]
ReasonFlag = Annotated[str | None, typer.Option("--reason", help="why, for the log")]
OperatorFlag = Annotated[
    str | None, typer.Option("--as", help="who you are, where the gateway has no tokens to know it by")
]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before it is done")]
LimitFlag = Annotated[int, typer.Option("--limit", min=1, max=200, help="how many, at most")]
RunFilter = Annotated[str | None, typer.Option("--run", help="only of this run")]
ThreadFilter = Annotated[str | None, typer.Option("--thread", help="only of this thread")]
ClientFilter = Annotated[str | None, typer.Option("--client", help="only where metadata.clientId is this")]
RoleFilter = Annotated[
    list[str] | None, typer.Option("--role", help="only what this role or name may do; again for more")
]


class CommandContext:
    """Calls the gateway for one command and prints the answers."""

    def __init__(self, url: str | None, token: str | None, as_json: bool) -> None:
        self._settings = load_settings(url=url, token=token)
        self._as_json = as_json
        self.console = Console()
        if not self.console.is_terminal:
            # For a pipe or a file nothing is cut or folded.
            self.console.width = _UNFOLDED_WIDTH

    def ask(self, work: Callable[[GatewayClient], Any]) -> Any:
        """Run `work` with a client; a refusal ends the command with its reasons."""

        async def connected() -> Any:
            async with open_client(self._settings) as client:
                return await work(client)

        return run_async(connected())

    def get(self, path: str, query: Query | None = None) -> Any:
        """GET one document."""
        return self.ask(lambda client: client.call("GET", path + query_text(query or {})))

    def post(self, path: str, body: Document) -> Any:
        """POST one document, without the keys that were not given."""
        return self.ask(lambda client: client.call("POST", path, given(body)))

    def command(self, *words: str) -> str:
        """`flexrun WORDS` as the user types it to ask the same gateway."""
        return command(self._settings, *words)

    def show(self, answer: Any, shown: Callable[[Any], Any]) -> None:
        """Print the answer as JSON where that was asked for, else as `shown` renders it."""
        if self._as_json:
            print_json(answer)
            return
        for part in _parts(shown(answer)):
            self.console.print(
                part, soft_wrap=isinstance(part, JsonText | FittedTable), markup=False, emoji=False
            )


def _parts(shown: Any) -> Iterable[Any]:
    return cast("list[Any]", shown) if isinstance(shown, list) else [shown]


def print_json(document: Any) -> None:
    """To standard output, indented on a terminal only."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    sys.stdout.buffer.write(visible_json(orjson.dumps(document, option=option)).encode())
    sys.stdout.buffer.flush()


def given(body: Document) -> Document:
    """The keys that have a value."""
    return {key: value for key, value in body.items() if value is not None}


def in_path(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def query_text(query: Query) -> str:
    """`?name=value…`, without what has no value; '' where nothing is left."""
    pairs = [(name, value) for name, value in query.items() if value is not None]
    return "?" + urlencode(pairs, doseq=True) if pairs else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> FittedTable | Text:
    """A plain table; the text `empty` when there are no rows."""
    made = FittedTable(columns, rows)
    return words(empty, "dim") if made.is_empty else made


def facts(pairs: Mapping[str, object]) -> Table:
    """Name and value, a line each; without those that have no value."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", [], {}):
            made.add_row(name, Text(visible(str(value), block=name in _BLOCKS)))
    return made


def words(text: str, style: str = "") -> Text:
    """A line of a table, a title, a sentence: foreign text in it is made visible, and no markup is looked for."""
    return Text(visible(text), style=style)


def heading(text: str) -> Text:
    """A title below an empty line."""
    return Text("\n" + visible(text), style="bold")


class JsonText(Text):
    """A document in colours, which is not folded."""


def document(value: Any) -> JsonText:
    """JSON in colours."""
    text = JsonText(visible_json(orjson.dumps(value, option=orjson.OPT_INDENT_2)))
    JSONHighlighter().highlight(text)
    return text


def short_time(moment: str | None, *, to_seconds: bool = False) -> str:
    """`2026-11-22 12:00` of an RFC 3339 time, which is in UTC, with its seconds where they matter."""
    return moment[: 19 if to_seconds else 16].replace("T", " ") if moment else ""


def read_json(file: str) -> Any:
    """The JSON in a file, or on standard input for `-`."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        stop(f"Cannot read {visible(file)}: {error.strerror}")
    try:
        return load_json(raw)
    except DocumentRefused as refused:
        stop(f"{visible(file)} cannot be sent: {visible(str(refused))}")
