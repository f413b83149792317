"""The JSON Schema for editors of descriptor files takes what a file may have, and marks what it may not."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.registry.test_files import GOOD

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "schemas" / "capability-file.json"


def errors(document: Any) -> list[str]:
    validator = Draft202012Validator(orjson.loads(SCHEMA.read_bytes()))
    return [each.message for each in validator.iter_errors(document)]


def _of_the_page() -> list[str]:
    page = (ROOT / "docs" / "capabilities.md").read_text()
    return [each.partition("```")[0] for each in page.split("```yaml\n")[1:]]


SHIPPED = [path.read_text() for path in sorted((ROOT / "examples").rglob("*.yaml"))]


@pytest.mark.parametrize("text", [GOOD, *SHIPPED, *_of_the_page()])
def test_files_of_the_page_and_the_examples_keep_it(text: str) -> None:
    for document in yaml.safe_load_all(text):
        assert errors(document) == []


@pytest.mark.parametrize(
    "text",
    [
        "label: A capability without an id",
        "facets: [{name: ticket_summary}]",
        "capabilities: [{id: acme.summary}]",
        "capabilities: {id: acme.summary, label: Summary}",
        "capabilities: []\nfacet: []",
        "[]\n---\n7",
    ],
)
def test_what_a_file_may_not_have_is_marked(text: str) -> None:
    assert any(errors(document) for document in yaml.safe_load_all(text))


def test_there_is_an_example_and_a_file_on_the_page() -> None:
    assert SHIPPED
    assert _of_the_page()
