"""The page on capabilities is run from its own text."""

from pathlib import Path

import orjson

from tests.support.gateways import RunningGateway
from tests.support.markdown import commands, fenced, section, type_it

PAGE = "docs/capabilities.md"


async def test_the_commands_of_the_page_say_what_it_says(gateway: RunningGateway, tmp_path: Path) -> None:
    part = section(PAGE, "Register one")
    (yaml,) = fenced(part, "yaml")
    (tmp_path / "acme.yaml").write_text(yaml)
    (console,) = fenced(part, "console")
    for block in console.removeprefix("$ ").split("\n$ "):
        command, _, expected = block.partition("\n")
        done = await type_it(f"cd {tmp_path}; export FLEXRUN_URL={gateway.url}; {command}", gateway.url)
        assert done.status == 0, done.err
        assert done.out == expected.rstrip() + "\n" or (not expected and "acme.summary" in done.out)


async def test_the_requests_of_the_page_are_answered(gateway: RunningGateway) -> None:
    (facet, listed) = commands(section(PAGE, "Facets"))
    made = await type_it(facet, gateway.url)
    assert orjson.loads(made.out) == {"name": "ticket_mood", "version": "1.0.0", "created": True}
    assert "ticket_mood" in (await type_it(listed, gateway.url)).out
    summary = {"name": "ticket_summary", "description": "In short", "schema": {"type": "string"}}
    await gateway.post("/api/v1/flex/facets", summary)
    requests = [each for each in commands(section(PAGE, "Register one")) if each.startswith("curl")]
    register, show_all, show, disable, remove = [
        orjson.loads((await type_it(each, gateway.url)).out) for each in requests
    ]
    assert register["created"] is True
    assert [each["id"] for each in show_all["capabilities"]] == ["acme.summary"]
    assert show["status"] == "ok"
    assert disable == remove == {"id": "acme.summary", "versions": ["1.0.0"]}
