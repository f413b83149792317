"""Reading what is stored already: an old log may hold what is not accepted any more."""

from copy import deepcopy
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from schemas.base import Model
from schemas.explain import TAG_MARK

M = TypeVar("M", bound=Model)

MAX_ROUNDS = 10
"""How often what is wrong is left out before the whole document is taken for unreadable."""


def read_stored(model: type[M], document: Any) -> M | None:
    """A stored document as a model, without those of its parts that are wrong; None where nothing can be read."""
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        return _read_without(model, deepcopy(document), error)


def _read_without(model: type[M], document: Any, error: ValidationError) -> M | None:
    for _ in range(MAX_ROUNDS):
        places = {_present(document, each["loc"]) for each in error.errors()}
        if () in places:
            return None
        # From the back, so that the places of what is left stay true.
        for place in sorted(places, key=_order, reverse=True):
            _leave_out(document, place)
        try:
            return model.model_validate(document, by_alias=True, by_name=False)
        except ValidationError as left:
            error = left
    return None


def _present(document: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place of an error; where nothing is there because it is missing, of the object that lacks it."""
    place: list[int | str] = []
    for part in location:
        if isinstance(part, str) and part.startswith(TAG_MARK):
            continue
        if not _has(document, part):
            break
        place.append(part)
        document = document[part]
    return tuple(place)


def _leave_out(document: Any, place: tuple[int | str, ...]) -> None:
    *above, last = place
    for part in above:
        document = document[part]
    del document[last]


def _order(place: tuple[int | str, ...]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in place]


def _has(holder: Any, part: int | str) -> bool:
    if isinstance(part, int):
        return isinstance(holder, list) and part < len(cast("list[Any]", holder))
    return isinstance(holder, dict) and part in holder
