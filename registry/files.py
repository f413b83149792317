"""Files of descriptors: YAML or JSON, with the line of each place in them.

A file has what `POST /api/v1/flex/capabilities/register` takes; beside or instead of `capabilities` it may have
`facets`, and a YAML file may have several documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from schemas import pointer
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused, FieldProblem

ENDINGS = (".json", ".yaml", ".yml")
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_FILES = 1_000
"""How many files of a folder are read."""


class FileFaulty(Exception):
    """A file cannot be read, or is neither YAML nor JSON; the text names it, with the line where there is one."""


@dataclass(frozen=True, slots=True)
class DescriptorFile:
    """What a file has: documents with capabilities, and facets, each with its place in the file.

    A place begins with the number of its document where the file has several.
    """

    path: Path
    capabilities: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    facets: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    text: str = ""
    several: bool = False

    def where(self, place: str) -> str:
        """`path:line` of a place; the path alone where the line is not known."""
        line = _line_of(self.text, place, self.several)
        return f"{self.path}:{line}" if line is not None else str(self.path)

    def said(self, problem: FieldProblem) -> str:
        """A problem in one line."""
        return f"{self.where(problem.pointer)}: {problem.pointer or 'the document'}: {problem.message}"


def descriptor_paths(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and those of the folders that are named, by name. Raises FileFaulty."""
    found: list[Path] = []
    for path in paths:
        try:
            found += _in_folder(path) if path.is_dir() else [path]
        except OSError as error:
            raise FileFaulty(f"{path}: the folder cannot be read: {error.strerror}") from None
    return found[:MAX_FILES]


def _in_folder(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.suffix in ENDINGS and not each.name.startswith("."))


def read_descriptors(path: Path) -> DescriptorFile:
    """Raises FileFaulty."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FileFaulty(f"{path}: the file cannot be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise FileFaulty(f"{path}: the file is larger than {MAX_FILE_BYTES} bytes")
    return parse_descriptors(path, raw)


def parse_descriptors(path: Path, raw: bytes) -> DescriptorFile:
    """The content of the file `path`. Raises FileFaulty."""
    text, documents = _documents(path, raw)
    made = DescriptorFile(path, text=text, several=len(documents) > 1)
    for number, document in enumerate(documents):
        _sort(made, f"/{number}" if made.several else "", document)
    return made


def read_value(path: Path, raw: bytes) -> Any:
    """The one document that the file `path` has. Raises FileFaulty."""
    _, documents = _documents(path, raw)
    if len(documents) != 1:
        raise FileFaulty(f"{path}: there is to be one document in it, not {len(documents)}")
    return documents[0]


def _documents(path: Path, raw: bytes) -> tuple[str, Sequence[Any]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFaulty(f"{path}: this is not UTF-8") from None
    return text, _json(path, raw) if path.suffix == ".json" else _yaml(path, text)


def _sort(made: DescriptorFile, place: str, document: object) -> None:
    keys = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    if isinstance(keys.get("facets"), list):
        made.facets.extend((f"{place}/facets/{index}", each) for index, each in enumerate(keys["facets"]))
        rest = {key: value for key, value in keys.items() if key != "facets"}
        if rest:
            made.capabilities.append((place, rest))
    elif "schema" in keys and "name" in keys and "id" not in keys:
        made.facets.append((place, keys))
    elif document is not None:
        made.capabilities.append((place, cast("Any", document)))


def _json(path: Path, raw: bytes) -> Sequence[Any]:
    try:
        return [load_json(raw)]
    except DocumentRefused as refused:
        raise FileFaulty(f"{path}: {refused}") from None


def _yaml(path: Path, text: str) -> Sequence[Any]:
    import yaml  # noqa: PLC0415 - only for those who use YAML

    try:
        documents = list(yaml.load_all(text, Loader=_loader()))
        return orjson.loads(orjson.dumps(documents, option=orjson.OPT_NON_STR_KEYS))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise FileFaulty(f"{path}{line}: this is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileFaulty(f"{path}: this is not YAML: {error}") from None
    except TypeError as error:
        raise FileFaulty(f"{path}: this is YAML that JSON has no word for: {error}") from None


def _loader() -> Any:
    """YAML's safe loader, with texts for dates: JSON has none."""
    import yaml  # noqa: PLC0415 - only for those who use YAML

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _line_of(text: str, place: str, several: bool) -> int | None:
    """The line of a place; of the nearest one above it that is there. JSON is YAML, near enough for its lines."""
    import yaml  # noqa: PLC0415 - only for those who use YAML

    try:
        documents = _composed(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    parts = pointer.split(place)
    number = int(parts.pop(0)) if several and parts else 0
    node = documents[number] if number < len(documents) else None
    line: int | None = node.start_mark.line if node is not None else None
    for part in parts:
        key, node = _below(node, part)
        if node is None:
            break
        line = (key or node).start_mark.line
    return line + 1 if line is not None else None


def _composed(text: str) -> list[Any]:
    """The documents of a YAML text as nodes, which know their lines. Raises yaml.YAMLError."""
    import yaml  # noqa: PLC0415 - only for those who use YAML

    loader = yaml.SafeLoader(text)
    nodes: list[Any] = []
    while loader.check_node():
        nodes.append(loader.get_node())
    return nodes


def _below(node: Any, part: str) -> tuple[Any, Any]:
    """The nodes of the key and of the value that a step of a pointer leads to."""
    if getattr(node, "id", "") == "mapping":
        return next(((key, value) for key, value in node.value if key.value == part), (None, None))
    if getattr(node, "id", "") == "sequence" and part.isdigit() and int(part) < len(node.value):
        return None, node.value[int(part)]
    return None, None
