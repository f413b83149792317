"""Documents on their way to a checker: written as JSON once, with a look at what no schema can forbid."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import orjson

from contracts.config import MAX_DOCUMENT_DEPTH, CheckerConfig
from contracts.problems import AjvError
from schemas import pointer
from schemas.json_text import Path, has_more_values, walk

_MAX_NUL_ERRORS = 10


def encode_document(document: object, config: CheckerConfig) -> bytes | list[AjvError]:
    """The document as JSON text, or what makes it unfit for the log under any contract."""
    try:
        text = orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        return [_too_deep(document) or _error((), "json", f"must be JSON: {error}", {})]
    if len(text) > config.max_document_bytes:
        limit = config.max_document_bytes
        return [_error((), "maxBytes", f"must NOT have more than {limit} bytes", {"limit": limit})]
    may_be_too_many = text.count(b",") + text.count(b"[") + text.count(b"{") > config.max_document_values
    if may_be_too_many and (problems := _too_many_values(document, config.max_document_values)):
        return problems
    if b"\\u0000" in text:
        return list(islice(_nul_characters(text), _MAX_NUL_ERRORS)) or text
    return text


def _too_deep(document: object) -> AjvError | None:
    for value, path in walk(document):
        if isinstance(value, dict | list) and len(path) >= MAX_DOCUMENT_DEPTH:
            message = f"must NOT be nested more than {MAX_DOCUMENT_DEPTH} deep"
            return _error(path, "maxDepth", message, {"limit": MAX_DOCUMENT_DEPTH})
    return None


def _too_many_values(document: object, limit: int) -> list[AjvError]:
    if not has_more_values(document, limit):
        return []
    return [_error((), "maxValues", f"must NOT have more than {limit} values", {"limit": limit})]


def _nul_characters(text: bytes) -> Iterator[AjvError]:
    for value, path in walk(orjson.loads(text)):
        is_object = isinstance(value, dict)
        texts = list(cast("dict[str, Any]", value)) if is_object else [cast("object", value)]
        if any("\0" in part for part in texts if isinstance(part, str)):
            yield _error(path, "nulCharacter", "must NOT contain NUL characters", {})


def _error(path: Path, keyword: str, message: str, params: dict[str, Any]) -> AjvError:
    return {
        "instancePath": pointer.build_bounded(path),
        "keyword": keyword,
        "message": message,
        "params": params,
        "schemaPath": "#",
    }
