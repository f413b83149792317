"""Checks of what a person wrote, by the contract."""

from __future__ import annotations

from typing import cast

from contracts.checker import ContractChecker
from contracts.problems import CheckerUnavailable, CheckFailed, SchemaRefused
from runs.errors import ResponseInvalid
from runs.event import Json, JsonObject
from runs.rules.requests import edit_contract
from runs.state import RunState

ContractErrors = tuple[JsonObject, ...]
Schema = JsonObject | bool


def schema_of_request(state: RunState, request_id: str) -> Schema | None:
    """What an edited output must keep: the caller's contract, or that of the node which the request is about."""
    request = state.requests.get(request_id)
    if request is None:
        return None
    return edit_contract(state, request.subject, state.nodes.get(request.node_id or ""))


def schema_of_node(state: RunState, node_id: str | None) -> Schema | None:
    """The schema that the node's output must match; None where it has none, or where there is no such node."""
    node = state.nodes.get(node_id or "")
    return node.contract.get("output") if node is not None else None


class ContractChecks:
    """Checks the documents of one transaction. Where that is built again after a conflict, the results stay."""

    def __init__(self, contracts: ContractChecker) -> None:
        self._contracts = contracts
        self._done: list[tuple[Schema, Json, ContractErrors]] = []

    async def errors(self, schema: Schema | None, document: Json) -> ContractErrors:
        """The errors of `document`; () means valid. Raises ResponseInvalid where the contract gives no result.

        CheckerUnavailable is no fault of the document and is raised as it is.
        """
        if schema is None:
            return ()
        for known_schema, known_document, errors in self._done:
            if known_document is document and known_schema == schema:
                return errors
        errors = await self._check(schema, document)
        self._done.append((schema, document, errors))
        return errors

    async def _check(self, schema: Schema, document: Json) -> ContractErrors:
        try:
            return tuple(cast("list[JsonObject]", await self._contracts.check(schema, document)))
        except CheckerUnavailable:
            raise
        except (SchemaRefused, CheckFailed) as failure:
            raise ResponseInvalid(f"the contract gives no verdict on this: {failure}") from failure
