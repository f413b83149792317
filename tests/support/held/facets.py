"""The facets that they take and give, for the processes that load functions: each a text that grows on its way."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Text(BaseModel):
    """What each step makes of the text of the one before."""

    model_config = ConfigDict(extra="forbid")
    text: str
