"""Files of descriptors: which line a mistake is in, and what a process makes of files that change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.checker import ContractChecker
from eventstore.capabilities import add_versions, capability_rows
from eventstore.facet_cache import FacetCache
from eventstore.facets import facet_rows
from eventstore.store import EventStore
from flexrun.roles.descriptor_files import DescriptorFiles
from registry.facet_registrar import FacetRegistrar
from registry.files import FileFaulty, parse_descriptors
from registry.folder import DescriptorFolder
from registry.registrar import Registrar
from tests.support.no_spare import NO_SPARE
from tests.support.waiting import eventually

GOOD = """\
facets:
  - name: ticket_summary
    description: What a ticket says
    schema: {type: string, maxLength: 100}
capabilities:
  - id: acme.summary
    label: Summary
    version: 1.0.0
    facetsOut: [ticket_summary]
    home:
      type: http
      url: https://acme.example/summary
"""


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[EventStore]:
    opened = await EventStore.open(database_url, writers=1, readers=2)
    yield opened
    await opened.close()


@pytest.fixture
async def folder_at(store: EventStore) -> AsyncIterator[Callable[..., DescriptorFolder]]:
    async with ContractChecker(NO_SPARE) as contracts:
        facets = FacetCache(store)

        def made(*paths: Path) -> DescriptorFolder:
            registrar = Registrar(store, facets, contracts)
            return DescriptorFolder(paths, registrar, FacetRegistrar(store, facets, contracts), "worker-1")

        yield made


async def registered(store: EventStore) -> dict[str, Any]:
    return {f"{row.capability_id}@{row.version}": row for row in await capability_rows(store)}


async def test_facets_of_all_files_come_before_the_capabilities(
    tmp_path: Path, store: EventStore, folder_at: Callable[..., DescriptorFolder]
) -> None:
    facets, _, capabilities = GOOD.partition("capabilities:")
    (tmp_path / "z-facets.yaml").write_text(facets)
    (tmp_path / "a-capabilities.yml").write_text("capabilities:" + capabilities)
    (tmp_path / "notes.txt").write_text("not read")
    folder = folder_at(tmp_path)
    report = await folder.register(*folder.read())
    assert (report.registered, report.mistakes) == (["facet ticket_summary@1.0.0", "acme.summary@1.0.0"], [])
    assert (await registered(store))["acme.summary@1.0.0"].source == "file"
    assert [row.source for row in await facet_rows(store)] == ["file"]


@pytest.mark.parametrize(
    ("name", "text", "mistakes"),
    [
        (
            "two.yaml",
            GOOD.replace("url: https", "url: ftp").replace("label: Summary", "label: ''"),
            ["two.yaml:7: /capabilities/0/label: ", "two.yaml:12: /capabilities/0/home/url: "],
        ),
        (
            "unknown.yaml",
            GOOD.replace("[ticket_summary]", "[ticket_sumary]"),
            ["unknown.yaml:9: /capabilities/0/facetsOut/0: "],
        ),
        (
            "facet.yaml",
            GOOD.replace("maxLength: 100", "maxLength: many"),
            ["facet.yaml:4: /facets/0/schema/maxLength: ", "facet.yaml:9: "],
        ),
        ("broken.yaml", "id: [1\nlabel: x", ["broken.yaml:2: this is not YAML: "]),
        ("broken.json", '{"id": ', ["broken.json: "]),
        ("place.json", '{\n  "id": "acme.json",\n  "label": 3\n}', ["place.json:3: /label: "]),
        ("third.yaml", "id: a\nlabel: A\n---\n- id: b\n  label: B\n- id: c d\n  label: C", ["third.yaml:6: /1/1/id: "]),
        ("missing.yaml", None, ["missing.yaml: the file cannot be read: No such file"]),
    ],
)  # fmt: skip
async def test_a_mistake_names_file_and_line_and_the_other_files_are_registered(
    name: str,
    text: str | None,
    mistakes: list[str],
    tmp_path: Path,
    store: EventStore,
    folder_at: Callable[..., DescriptorFolder],
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    (tmp_path / "other.json").write_text('{"id": "acme.other", "label": "Other"}')
    folder = folder_at(tmp_path / name, tmp_path / "other.json")
    report = await folder.register(*folder.read())
    found = [each.removeprefix(f"{tmp_path}/") for each in report.mistakes]
    assert len(found) == len(mistakes), found
    assert all(each.startswith(start) for each, start in zip(found, mistakes, strict=True)), found
    assert list(await registered(store)) == ["acme.other@1.0.0"]


async def test_a_file_changes_its_own_versions_and_nobody_elses(
    tmp_path: Path, store: EventStore, folder_at: Callable[..., DescriptorFolder]
) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("id: acme.one\nlabel: First")
    folder = folder_at(file)
    await folder.register(*folder.read())
    file.write_text("id: acme.one\nlabel: Second")
    assert (await folder.register(*folder.read())).mistakes == []
    assert (await registered(store))["acme.one@1.0.0"].descriptor["label"] == "Second"
    await add_versions(store, [{"id": "acme.two", "version": "1.0.0", "label": "By a caller"}], "ada", "api")
    file.write_text("id: acme.two\nlabel: By a file")
    (mistake, *_) = (await folder.register(*folder.read())).mistakes
    assert mistake.startswith(f"{file}:1: ")
    assert (await registered(store))["acme.two@1.0.0"].descriptor["label"] == "By a caller"


async def test_changed_files_are_read_again_and_a_mistake_keeps_what_was_valid(
    tmp_path: Path, store: EventStore, folder_at: Callable[..., DescriptorFolder]
) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("id: acme.one\nlabel: First")
    files = DescriptorFiles(folder_at(file))
    await files.start()

    async def label(wanted: str) -> bool:
        return (await registered(store))["acme.one@1.0.0"].descriptor["label"] == wanted

    assert await label("First")
    with capture_logs() as logs:
        replaced = tmp_path / "one.yaml.new"
        replaced.write_text("id: acme.one\nlabel: Second")
        replaced.rename(file)
        await eventually(lambda: label("Second"))
        file.write_text("id: acme.one\nlabl: Third")

        async def told() -> bool:
            return any(each["event"] == "capability_file_wrong" for each in logs)

        await eventually(told)
        assert await label("Second")
        file.write_text("id: acme.one\nlabel: Fourth")
        await eventually(lambda: label("Fourth"))
    mistakes = [each["mistake"] for each in logs if each["event"] == "capability_file_wrong"]
    assert f"{file}:1: /label: This is required." in mistakes
    await files.close()


def test_dates_and_numbers_of_yaml_are_what_json_makes_of_them() -> None:
    made = parse_descriptors(Path("a.yaml"), b"id: x\nmetadata: {since: 2026-01-01, n: 1.5, yes: true}")
    assert made.capabilities == [
        ("", {"id": "x", "metadata": {"since": "2026-01-01", "n": 1.5, "true": True}})
    ]


@pytest.mark.parametrize("raw", [b"\xff", b"&a [*a]", b"!!python/object/apply:os.system ['x']", b"a: 'b"])
def test_what_is_neither_yaml_nor_json_is_named(raw: bytes) -> None:
    with pytest.raises(FileFaulty, match=r"^a\.yaml"):
        parse_descriptors(Path("a.yaml"), raw)


async def test_close_ends_the_watching(tmp_path: Path, folder_at: Callable[..., DescriptorFolder]) -> None:
    files = DescriptorFiles(folder_at(tmp_path))
    await files.start()
    await files.close()
    await files.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "descriptor-files"]


async def test_a_facet_that_comes_later_ends_the_mistake_of_a_file_that_gives_it(
    tmp_path: Path,
    store: EventStore,
    folder_at: Callable[..., DescriptorFolder],
) -> None:
    """As where the facet is one of functions that are loaded after the files were read."""
    facets, _, capabilities = GOOD.partition("capabilities:")
    (tmp_path / "capabilities.yaml").write_text("capabilities:" + capabilities)
    later = tmp_path / "elsewhere" / "facets.yaml"
    later.parent.mkdir()
    later.write_text(facets)
    folder = folder_at(tmp_path / "capabilities.yaml")
    files = DescriptorFiles(folder)
    with capture_logs() as lines:
        await files.read()
        await files.read()
        assert await registered(store) == {}
        await folder_at(later).register(*folder_at(later).read())
        await files.read()
    assert "acme.summary@1.0.0" in await registered(store)
    assert [line["event"] for line in lines] == [
        "capability_file_wrong",
        "capability_files_read",
        "capability_files_read",
    ]
