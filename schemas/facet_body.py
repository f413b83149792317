"""What a caller says of a facet that it registers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from schemas.base import NOT_BLANK, Model
from schemas.capability import DEFAULT_VERSION
from schemas.facets import Facet
from schemas.plan import CapabilityVersion

RegisteredFacetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]


class FacetBody(Model):
    """A facet: a named piece of meaning, and the JSON Schema (2020-12) that says what it looks like.

    Of a facet with `many` a contract takes one or a list. A new version must accept what the versions before accepted.
    """

    name: RegisteredFacetName
    version: CapabilityVersion = DEFAULT_VERSION
    description: Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=NOT_BLANK)]
    schema_: dict[str, Any]
    many: bool = False

    @property
    def facet(self) -> Facet:
        return Facet(self.name, self.description, self.schema_, self.many, self.version)
