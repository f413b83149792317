"""`flexrun capabilities …` and `flexrun facets …`, as processes, against a gateway."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.gateways import RunningGateway
from tests.support.sites import CommandLine

FILE = """\
facets:
  - name: ticket_summary
    description: What a ticket says
    schema: {type: string, maxLength: 20}
capabilities:
  - id: acme.summary
    label: Summary
    facetsOut: [ticket_summary]
    cost: {micros: 1200, currency: EUR}
    home: {type: worker}
"""
CODE = """\
from flexrun_sdk import CapabilityError, capability


@capability(id="acme.shout", facets_out="loud")
def shout(text: str) -> str:
    if not text:
        raise CapabilityError("nothing_to_say", "There is nothing to say.")
    return text.upper()
"""
SHORT = {"contract": {"output": {"type": "string", "maxLength": 5}}}


@pytest.fixture
def flexrun(gateway: RunningGateway, tmp_path: Path) -> CommandLine:
    (tmp_path / "acme.yaml").write_text(FILE)
    return CommandLine(gateway.url, tmp_path)


async def test_a_file_is_registered_listed_shown_disabled_and_removed(flexrun: CommandLine) -> None:
    said = await flexrun.run("capabilities", "register", "acme.yaml")
    assert (said.code, said.out) == (
        0,
        "registered facet ticket_summary@1.0.0\nregistered acme.summary@1.0.0\n",
    )
    again = await flexrun.run("facets", "register", ".", "--json")
    made = orjson.loads(again.out)
    assert [each["created"] for each in (*made["facets"], *made["capabilities"])] == [False, False]
    (line,) = [
        each for each in (await flexrun.run("capabilities", "list")).out.splitlines() if "acme" in each
    ]
    assert line.split()[:4] == ["acme.summary", "1.0.0", "silent", "worker"]
    assert "ticket_summary" in line
    shown = (await flexrun.run("capabilities", "show", "acme.summary")).out
    assert "micros 1200 currency EUR" in shown
    assert "None has ended yet." in shown
    for word, done in (("disable", "disabled"), ("enable", "enabled"), ("remove", "removed")):
        said = await flexrun.run("capabilities", word, "acme.summary", "--version", "1.0.0")
        assert (said.code, said.out) == (0, f"{done} acme.summary@1.0.0\n")
    said = await flexrun.run("capabilities", "show", "acme.summary")
    assert (said.code, "capability_unknown" in said.err) == (2, True)
    facets = orjson.loads((await flexrun.run("facets", "list", "--json")).out)["facets"]
    assert "ticket_summary" in [each["name"] for each in facets]
    assert "ticket_summary" in (await flexrun.run("facets", "list")).out


async def test_a_mistake_in_a_file_is_named_by_its_line(flexrun: CommandLine) -> None:
    (flexrun.folder / "acme.yaml").write_text(FILE.replace("[ticket_summary]", "[ticket_sumary]"))
    said = await flexrun.run("capabilities", "register", "acme.yaml")
    assert said.code == 2
    assert "acme.yaml:8: /capabilities/0/facetsOut/0: There is no facet 'ticket_sumary'" in said.err
    assert "ticket_summary" in said.err


async def test_a_descriptor_comes_from_standard_input_too(flexrun: CommandLine) -> None:
    said = await flexrun.run("capabilities", "register", "-", stdin={"id": "acme.in", "label": "In"})
    assert (said.code, said.out) == (0, "registered acme.in@1.0.0\n")


@pytest.mark.parametrize(
    ("bundle", "code", "expected"),
    [
        ({"facets": {"text": "hello"}, **SHORT}, 0, {"verdict": "valid", "output": "HELLO"}),
        ({"facets": {"text": "too long"}, **SHORT}, 1, {"verdict": "invalid", "output": "TOO LONG"}),
        (
            {"facets": {"text": ""}},
            1,
            {"verdict": "failed", "error": {"code": "nothing_to_say", "message": "There is nothing to say."}},
        ),
    ],
)
async def test_a_function_is_tried_without_a_gateway(
    tmp_path: Path, bundle: dict[str, Any], code: int, expected: dict[str, Any]
) -> None:
    flexrun = CommandLine("http://127.0.0.1:1", tmp_path)
    (tmp_path / "shouting.py").write_text(CODE)
    (tmp_path / "bundle.json").write_bytes(orjson.dumps(bundle))
    arguments = ("try", "acme.shout", "--load", "./shouting.py", "--bundle", "bundle.json")
    said = await flexrun.run("capabilities", *arguments, "--json")
    made = orjson.loads(said.out)
    assert (said.code, {key: made[key] for key in expected}) == (code, expected)
    assert made["seconds"] >= 0
    for_people = await flexrun.run("capabilities", *arguments)
    assert f"verdict     {expected['verdict']}" in for_people.out


async def test_what_cannot_be_called_from_here_says_why(
    flexrun: CommandLine, gateway: RunningGateway
) -> None:
    await flexrun.run("capabilities", "register", "acme.yaml")
    said = await flexrun.run("capabilities", "try", "acme.summary", "--bundle", "-", stdin={})
    assert (said.code, "its worker asks a gateway for work" in said.err) == (2, True)
    said = await flexrun.run("capabilities", "try", "no.such", "--bundle", "-", stdin={})
    assert "capability_unknown" in said.err
    said = await flexrun.run("capabilities", "try", "no.such", "--bundle", "-", stdin=[])
    assert "a bundle is an object" in said.err
