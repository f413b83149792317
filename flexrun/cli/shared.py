"""What several commands need: settings with clear errors, running a coroutine, exiting with a message.

Settings and the client are imported by the functions that use them: pydantic and aiohttp take longer than all else
together, and neither `--help` nor the error for a mistyped flag may wait for them.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import typer
import uvloop
from rich.console import Console

from flexrun.api import GatewayProblemError, GatewayUnreachableError
from schemas.redaction import redact
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient
    from flexrun.settings import Settings

T = TypeVar("T")

errors = Console(stderr=True)

# docs/operations.md has a table of them.
EXIT_NO = 1
"""The answer is no: the run did not complete, the read models differ from the log."""
EXIT_REFUSED = 2
"""Bad usage, a wrong setting, or a refusal of the gateway."""
EXIT_CANNOT_TELL = 3
"""The gateway or the database does not answer, or cannot do it now."""
EXIT_OUTPUT_LOST = 74
EXIT_INTERRUPTED = 130
EXIT_READER_GONE = 141
"""What a shell reports of a program that SIGPIPE has ended."""


def say(message: str, style: str | None = None) -> None:
    """Print a message on standard error: secrets are redacted, control characters in foreign text are escaped.

    Its line breaks are shown as such: a text that could have some of its own goes through `visible` before.
    """
    text = visible(redact(message), block=True)
    errors.print(text, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)


def stop(message: str, code: int = EXIT_REFUSED) -> NoReturn:
    """Print an error on standard error and exit."""
    say(message, "red")
    raise typer.Exit(code)


def ask_first(what: str) -> None:
    """Ask before `what` is done; leaves with 1 when one says no, and with 2 where nobody can be asked."""
    if not sys.stdin.isatty():
        stop(f"This would {what}; say --yes, or look first with --dry-run.")
    if not typer.confirm(f"{what}?", err=True):
        stop("Nothing was done.", EXIT_NO)


def load_settings(**flags: Any) -> Settings:
    """Flags over environment over defaults; a bad value is named with its place."""
    from pydantic import ValidationError  # noqa: PLC0415 - see the module's docstring

    from flexrun.secrets import SecretRefused, know_settings  # noqa: PLC0415 - the same
    from flexrun.settings import Settings  # noqa: PLC0415 - the same

    for sentence in _unknown_settings():
        say(sentence, "yellow")
    try:
        settings = Settings().with_flags(**flags)
        know_settings(settings)
    except ValidationError as error:
        lines = [
            f"FLEXRUN_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()
        ]
        stop("A setting is wrong (flag or FLEXRUN_… variable).\n  " + "\n  ".join(lines))
    except SecretRefused as refused:
        stop(f"A setting is wrong: {refused}.")
    return settings


def refuse_unknown_settings() -> None:
    """For a process that serves: a mistyped setting must not mean the default."""
    if found := _unknown_settings():
        stop("flexrun cannot start:\n" + "\n".join(f"  {sentence}" for sentence in found))


def _unknown_settings() -> list[str]:
    from flexrun.secrets import SECRETS  # noqa: PLC0415 - see the module's docstring
    from flexrun.settings import Settings  # noqa: PLC0415 - the same
    from flexrun.unknown_settings import known_variables, unknown_settings  # noqa: PLC0415 - the same

    return [
        visible(each)
        for each in unknown_settings(os.environ, known_variables(Settings.model_fields, SECRETS))
    ]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop; Ctrl-C cancels `work` and exits with 130."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except GatewayProblemError as problem:
        stop(describe_problem(problem), EXIT_CANNOT_TELL if problem.status >= 500 else EXIT_REFUSED)
    except GatewayUnreachableError as error:
        stop(f"{visible(str(error))}\nIs flexrun running there? Start it with: flexrun up", EXIT_CANNOT_TELL)


def describe_problem(error: GatewayProblemError) -> str:
    """A problem as text for a person: what happened, then each place. No line break comes from the gateway's text."""
    items: list[dict[str, Any]] = error.problem.get("errors") or []
    head = f"The gateway refused ({error.status} {error.problem.get('code', '')}):"
    if error.status == 401:
        # The problem's own text is for callers of the HTTP API.
        head += " it wants a token that it knows: --token, FLEXRUN_TOKEN or FLEXRUN_TOKEN_FILE."
    elif not items or str(items[0].get("message")) not in str(error):
        head += f" {error}"  # where it is made of the places, these say it all
    lines = [head, *(f"  {_placed(item)}" for item in items)]
    if omitted := error.problem.get("omitted"):
        lines.append(f"  and {omitted} more")
    return "\n".join(map(visible, lines))


def _placed(item: dict[str, Any]) -> str:
    """One problem with its JSON pointer, if it has one: the whole document has none, and neither has a query."""
    pointer, message = item.get("pointer"), str(item.get("message"))
    return f"{pointer}: {message}" if pointer else message


def command(settings: Settings, *words: str) -> str:
    """`flexrun WORDS` as the user types it to ask the same gateway; tokens are not repeated."""
    is_default = settings.url == type(settings).model_fields["url"].default
    return visible(shlex.join(["flexrun", *words, *([] if is_default else ["--url", settings.url])]))


def open_client(settings: Settings) -> GatewayClient:
    """A client for `settings.url`, which must be an http or https address."""
    from flexrun.client import GatewayClient  # noqa: PLC0415 - see the module's docstring

    if not _is_http_address(settings.url):
        stop(
            f"{visible(settings.url)} is no address of a gateway: it has the form http://127.0.0.1:8080 "
            "(--url or FLEXRUN_URL)."
        )
    token = settings.token.get_secret_value() if settings.token else None
    try:
        return GatewayClient(settings.url, token, ca_file=settings.ca_file, tenant=settings.tenant)
    except OSError as error:
        reason = error.strerror or "it has no certificates in PEM form"
        stop(f"FLEXRUN_CA_FILE: {visible(str(settings.ca_file))} cannot be used: {reason}")


def _is_http_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        return False
