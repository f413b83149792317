"""Where a caller's local `$ref` leads."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote

from contracts.grammar.identity import reads_ref_alone
from contracts.grammar.subschemas import every_subschema
from schemas import pointer

Schema = dict[str, Any]


class References:
    """Follows the references of one schema document, which the contract door has found to be local."""

    def __init__(self, root: Any, root_path: str) -> None:
        self._root: Schema = cast(Schema, root) if isinstance(root, dict) else {}
        self._root_path = root_path
        self._anchors: dict[str, tuple[Schema, str]] | None = None
        self._followed: dict[str, tuple[Any, str]] = {}
        self.stand_alone = "$schema" in self._root and reads_ref_alone(self._root)

    def follow(self, reference: Any) -> tuple[Any, str]:
        """The schema referred to and the pointer to it; `False` for a reference that leads nowhere."""
        if not isinstance(reference, str):
            return False, self._root_path
        known = self._followed.get(reference)
        if known is None:
            known = self._followed[reference] = self._follow(reference)
        return known

    def _follow(self, reference: str) -> tuple[Any, str]:
        fragment = unquote(reference.partition("#")[2])
        if fragment and not fragment.startswith("/"):
            return self._named().get(fragment, (False, self._root_path))
        try:
            return pointer.resolve(self._root, fragment), self._root_path + fragment
        except (LookupError, ValueError):
            return False, self._root_path

    def _named(self) -> dict[str, tuple[Any, str]]:
        if self._anchors is None:
            self._anchors = {
                name: (schema, self._root_path + pointer.build(path))
                for path, schema in every_subschema(self._root)
                for name in (schema.get("$anchor"), _old_anchor(schema.get("$id")))
                if isinstance(name, str)
            }
        return cast("dict[str, tuple[Any, str]]", self._anchors)


def _old_anchor(identifier: Any) -> str | None:
    return identifier[1:] if isinstance(identifier, str) and identifier.startswith("#") else None
