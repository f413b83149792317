"""What a contract says of something that a person wrote."""

from __future__ import annotations

from typing import cast

from contracts.checker import ContractChecker
from contracts.problems import CheckerUnavailable, CheckFailed, SchemaRefused
from runs.errors import ResponseInvalid
from runs.event import Json, JsonObject
from runs.rules.requests import edit_contract
from runs.state import RunState

Errors = tuple[JsonObject, ...]
Schema = JsonObject | bool


def schema_of_request(state: RunState, request_id: str) -> Schema | None:
    """What an edited output must keep: the caller's contract, or that of the node which the request is about."""
    request = state.requests.get(request_id)
    if request is None:
        return None
    return edit_contract(state, request.subject, state.nodes.get(request.node_id or ""))


def schema_of_node(state: RunState, node_id: str | None) -> Schema | None:
    """What the node owes; None where it owes nothing in particular, or is not there."""
    node = state.nodes.get(node_id or "")
    return node.contract.get("output") if node is not None else None


class Verdicts:
    """Judges the documents of one transaction. One that is built again after a conflict does not judge them again."""

    def __init__(self, contracts: ContractChecker) -> None:
        self._contracts = contracts
        self._known: list[tuple[Schema, Json, Errors]] = []

    async def errors(self, schema: Schema | None, document: Json) -> Errors:
        """What `document` breaks; () means valid. Raises ResponseInvalid where there can be no verdict.

        CheckerUnavailable is our own trouble and is raised as it is.
        """
        if schema is None:
            return ()
        for known_schema, known_document, errors in self._known:
            if known_document is document and known_schema == schema:
                return errors
        errors = await self._check(schema, document)
        self._known.append((schema, document, errors))
        return errors

    async def _check(self, schema: Schema, document: Json) -> Errors:
        try:
            return tuple(cast("list[JsonObject]", await self._contracts.check(schema, document)))
        except CheckerUnavailable:
            raise
        except (SchemaRefused, CheckFailed) as failure:
            raise ResponseInvalid(f"the contract gives no verdict on this: {failure}") from failure
