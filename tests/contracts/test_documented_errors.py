"""Each row of the table of errors in docs/contracts.md is what we say, and what Ajv says."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.checker import ContractChecker
from tests.support.ajv import Pair, ask_ajv

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ROW = re.compile(
    r"^\| `([\w ]+)` \| `(\{.+\})` \| `(.+?)` \| (must .+|property .+|boolean .+) \|$", re.MULTILINE
)
ROWS: list[tuple[str, str, str, str]] = _ROW.findall(Path("docs/contracts.md").read_text())


@pytest.fixture(scope="module")
def ajvs() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Ajv's errors by schema and document."""
    asked = [(schema, document) for _, schema, document, _ in ROWS]
    answers = ask_ajv(Pair(orjson.loads(schema), orjson.loads(document)) for schema, document in asked)
    return {pair: answer["errors"] for pair, answer in zip(asked, answers, strict=True)}


@pytest.mark.parametrize(("keyword", "schema", "document", "message"), ROWS)
async def test_a_row_is_what_we_say_and_what_ajv_says(
    shared_door: ContractChecker,
    ajvs: dict[tuple[str, str], list[dict[str, Any]]],
    keyword: str,
    schema: str,
    document: str,
    message: str,
) -> None:
    ours = await shared_door.check(orjson.loads(schema), orjson.loads(document))
    assert (keyword, message) in [(error["keyword"], error["message"]) for error in ours]
    theirs = [{**error} for error in ajvs[schema, document]]
    for error in theirs:
        error.pop("propertyName", None)
    assert ours == theirs


async def test_no_row_is_lost() -> None:
    assert len(ROWS) == 35
