"""Whether one version of a capability can do the work that was planned for another: whether their contracts are one."""

from __future__ import annotations

from typing import Any, cast

from schemas.same_schema import same_schema

JsonObject = dict[str, Any]


def can_stand_in(planned: JsonObject, other: JsonObject) -> bool:
    """Whether `other` takes what `planned` takes and gives what it gives; both are descriptors in wire form.

    It may take further facets, where it does not need them. One that must not run twice cannot stand in for one that
    may: the node's attempts were planned otherwise.
    """
    return (
        _takes_as_much(_taken(planned), _taken(other))
        and set(_names(planned, "facetsOut")) == set(_names(other, "facetsOut"))
        and _same(planned, other, "inputSchema")
        and _same(planned, other, "outputSchema")
        and (planned.get("idempotent") is False or other.get("idempotent") is not False)
    )


def _takes_as_much(planned: dict[str, JsonObject], other: dict[str, JsonObject]) -> bool:
    if any(bool(each.get("required", True)) and name not in planned for name, each in other.items()):
        return False
    return all(name in other and _takes(each, other[name]) for name, each in planned.items())


def _takes(planned: JsonObject, other: JsonObject) -> bool:
    needs_more = other.get("required", True) and not planned.get("required", True)
    return not needs_more and bool(planned.get("many")) == bool(other.get("many"))


def _taken(descriptor: JsonObject) -> dict[str, JsonObject]:
    taken = cast("list[str | JsonObject]", descriptor.get("facetsIn") or [])
    return {
        str(each if isinstance(each, str) else each.get("name")): {} if isinstance(each, str) else each
        for each in taken
    }


def _names(descriptor: JsonObject, key: str) -> list[str]:
    return [str(each) for each in cast("list[Any]", descriptor.get(key) or [])]


def _same(planned: JsonObject, other: JsonObject, key: str) -> bool:
    return same_schema(planned.get(key), other.get(key))
