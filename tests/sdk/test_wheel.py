"""The SDK as its users have it: a wheel of its own, installed where there is no engine."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from tests.support.processes import ROOT, clean_environment
from tests.support.wheels import build_wheel, install_wheel

_ONE = """
from pydantic import BaseModel
from flexrun_sdk import capability, capability_of

class Ticket(BaseModel):
    text: str

@capability(id="acme.echo", facets_out="echo")
def echo(ticket: Ticket) -> Ticket:
    return ticket

print(capability_of(echo).id)
try:
    import executor
except ModuleNotFoundError:
    print("no engine")
"""


def test_it_builds_and_installs_without_the_engine(tmp_path: Path):
    wheel = build_wheel(tmp_path / "dist", ROOT / "sdk/python")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = [name for name in names if name.endswith("METADATA")]
        requires = [
            line for line in content.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")
        ]
    assert "flexrun_sdk/py.typed" in names
    assert {name.split("/")[0] for name in names if not name.startswith("flexrun_sdk-")} == {"flexrun_sdk"}
    assert sorted(line.split()[1].split(">")[0] for line in requires) == ["aiohttp", "pydantic"]

    python = install_wheel(wheel, tmp_path / "venv").parent / "python"
    environment = clean_environment()
    del environment["PYTHONPATH"]  # where the engine is
    done = subprocess.run(
        [python, "-P", "-c", _ONE],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.stdout.split("\n")[:2] == ["acme.echo", "no engine"]
