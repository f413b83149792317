"""The way from bytes to a model: either the model, or a `DocumentRefused` that says where and why."""

from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.base import Model
from schemas.explain import refusal_from_validation
from schemas.json_text import load_json

M = TypeVar("M", bound=Model)


def parse_document(model: type[M], raw: bytes) -> M:
    """Parse a request body or a message into `model`; raises DocumentRefused."""
    return validate_document(model, load_json(raw))


def validate_document(model: type[M], document: Any) -> M:
    """Validate JSON values that are parsed already, such as a stored envelope; raises DocumentRefused."""
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise refusal_from_validation(error, model) from None
