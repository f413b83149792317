"""The SDK for Node as its users have it: types that are up to date, in a package without dependencies."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.people.models import DecisionOutcome, PendingRequest
from gateway.runs.control import RunControlled
from gateway.runs.show import NodeDetail, RunDetail
from gateway.work.endpoints import WorkTask
from schemas.base import Model
from tests.support.node_packages import NODE, NPM, installed
from tests.support.node_worker import SDK

TSCONFIG: dict[str, Any] = {
    "compilerOptions": {
        "exactOptionalPropertyTypes": True,
        "lib": ["es2023", "dom", "dom.iterable"],
        "module": "nodenext",
        "noEmit": True,
        "noUncheckedIndexedAccess": True,
        "strict": True,
        "target": "es2022",
        "skipDefaultLibCheck": True,
        "types": [],
    },
    "files": ["consumer.mts"],
}


def run(*command: str, folder: Path) -> str:
    """Standard output of a command of Node that has to succeed."""
    done = subprocess.run(
        [NODE, *command], check=False, cwd=folder, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_its_types_are_right_and_those_that_it_ships_are_up_to_date() -> None:
    await asyncio.to_thread(installed, SDK)
    await asyncio.to_thread(run, "tools/types.js", "--check", folder=SDK)


@pytest.mark.parametrize(
    "model", [WorkTask, RunDetail, NodeDetail, PendingRequest, DecisionOutcome, RunControlled]
)
def test_what_it_says_of_an_answer_is_in_the_answer(model: type[Model]) -> None:
    text = (SDK / "src/answers.js").read_text(encoding="utf-8")
    found = re.search(rf"@typedef \{{\{{\n((?: \*   .*\n)*) \* \}}\}} {model.__name__}\n", text)
    assert found is not None
    said = dict(re.findall(r"^ \*   (\w+)(\??):", found[1], re.MULTILINE))
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    assert said.keys() <= known.keys()
    assert {name for name, mark in said.items() if not mark} <= {
        name for name, field in known.items() if field.is_required()
    }


async def test_a_program_of_its_users_is_type_checked_and_runs_with_the_packed_package(
    tmp_path: Path,
) -> None:
    await asyncio.to_thread(installed, SDK)
    said = await asyncio.to_thread(run, NPM, "pack", str(SDK), "--json", folder=tmp_path)
    (packed,) = json.loads(said)
    names = {each["path"] for each in packed["files"]}
    assert {"README.md", "src/index.js", "types/index.d.ts", "types/wire.d.ts"} <= names
    assert not [name for name in names if name.startswith(("tools", "node_modules"))]
    home = tmp_path / "node_modules/flexrun-sdk"
    shutil.unpack_archive(tmp_path / packed["filename"], tmp_path)
    shutil.move(tmp_path / "package", home)
    assert not json.loads((home / "package.json").read_text(encoding="utf-8")).get("dependencies")

    program = (Path(__file__).parent / "consumer.mts").read_text(encoding="utf-8")
    (tmp_path / "consumer.mts").write_text(program, encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(json.dumps(TSCONFIG), encoding="utf-8")
    await asyncio.to_thread(run, str(SDK / "node_modules/typescript/bin/tsc"), folder=tmp_path)
    assert await asyncio.to_thread(run, "consumer.mts", folder=tmp_path) == "true Greet\n"
