"""Mistakes at the command line that need no gateway: usage, addresses, settings. Each message names what to change."""

import pytest

from tests.support.cli import run
from tests.support.linkedin import EXAMPLES
from tests.support.ports import free_port

VARIANTS = str(EXAMPLES / "linkedin-variants.json")


@pytest.mark.parametrize("words", [("runs", "lst"), ("submit",), ("--help",)])
async def test_usage_names_the_command_that_was_typed(words: tuple[str, ...]) -> None:
    done = await run(*words)
    assert "Usage: flexrun " in done.out + done.err
    assert "python -m" not in done.out + done.err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8080", ("runs", "list")),
        ("localhost:8080", ("attach", "x")),
        ("ftp://127.0.0.1", ("submit", VARIANTS)),
        ("http://", ("runs", "list")),
        ("http://[::1", ("runs", "list")),
    ],
)
async def test_an_address_that_is_none_is_a_wrong_setting_and_no_gateway_that_is_away(
    url: str, words: tuple[str, ...]
) -> None:
    done = await run(*words, "--url", url)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"{url} is no address of a gateway: it has the form http://"), done.err
    assert "FLEXRUN_URL" in done.err


@pytest.mark.parametrize("words", [("runs", "list"), ("attach", "x")])
async def test_why_a_gateway_does_not_answer_is_said_in_plain_words(words: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = await run(*words, "--url", url)
    assert done.status == 3
    assert f"{url} does not answer: Connection refused\n" in done.err


async def test_a_setting_that_cannot_be_read_is_named_as_it_is_written() -> None:
    done = await run("runs", "list", settings={"PORT": "abc"})
    assert done.status == 2
    assert "FLEXRUN_PORT: Input should be a valid integer" in done.err
