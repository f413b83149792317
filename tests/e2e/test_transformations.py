"""A place of a contract that no facet fills, delivered by a function that is a free transformation."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote

import jsonschema

from tests.e2e.test_python_pages import started
from tests.support.cli import run
from tests.support.worlds import FOLDER

_CODE = """
from typing import Any

from flexrun_sdk import Context, capability

@capability(id="acme.reshape", kind="transformation")
def reshape(context: Context) -> Any:
    asked = context.bundle["contract"]["output"]["properties"]
    return {name: schema["enum"][0] for name, schema in asked.items()}
"""


async def test_what_no_facet_gives_is_delivered_by_a_transformation(database_url: str, tmp_path: Path):
    (tmp_path / "shapes.py").write_text(_CODE)
    up = f"flexrun up --load {quote(str(FOLDER))}/capabilities.py --load shapes.py"
    envelope = json.loads((FOLDER / "answer.json").read_text())
    schema = {
        "type": "object",
        "required": ["category", "mood"],
        "properties": {
            "category": {"enum": ["billing", "technical", "account", "other"]},
            "mood": {"enum": ["calm", "angry"]},
        },
        "additionalProperties": False,
    }
    envelope["outputContract"] = {"mode": "json_schema", "schema": schema}
    (tmp_path / "asked.json").write_text(json.dumps(envelope))
    async with started(up, database_url, tmp_path) as gateway:
        done = await run("submit", str(tmp_path / "asked.json"), "--url", gateway)
    assert done.status == 0, done.out
    output = done.frames[-1]["payload"]["output"]
    jsonschema.validate(output, schema)
    assert output == {"category": "billing", "mood": "calm"}
