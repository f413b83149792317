"""Checking an output against a contract, and the failures of a check itself."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from contracts.checker import ContractChecker
from contracts.problems import AjvError, CheckerUnavailable, CheckFailed, SchemaRefused
from executor.attempt import Failed, Produced
from runs.event import Json, JsonObject
from schemas.clean_text import clean_text


class NotChecked(Exception):
    """The contract or the output cannot be checked; a further try would end the same."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OutputChecker:
    """Checks outputs; waits up to `patience_seconds` while the checker's process is unavailable."""

    def __init__(self, contracts: ContractChecker, patience_seconds: float) -> None:
        self._contracts = contracts
        self._patience_seconds = patience_seconds

    async def check(self, schema: JsonObject | bool, output: Json) -> tuple[JsonObject, ...]:
        """The errors of `output` under `schema`; () is valid. Raises NotChecked, and CheckerUnavailable (retryable)."""
        try:
            errors = await self._check(schema, output)
        except SchemaRefused as refused:
            raise NotChecked("contract_invalid", f"the contract cannot be used: {refused}") from refused
        except CheckerUnavailable:
            raise
        except CheckFailed as failure:
            raise NotChecked("output_not_checked", f"the output could not be checked: {failure}") from failure
        return tuple(cast("list[JsonObject]", errors))

    async def _check(self, schema: JsonObject | bool, output: Json) -> list[AjvError]:
        try:
            return await self._contracts.check(schema, output)
        except CheckerUnavailable:
            # Setting up the retries costs as much as a check, so it is done after the first failure.
            patiently = AsyncRetrying(
                retry=retry_if_exception_type(CheckerUnavailable),
                wait=wait_random_exponential(multiplier=0.1, max=2),
                stop=stop_after_delay(self._patience_seconds),
                reraise=True,
            )
            return await patiently(self._contracts.check, schema, output)

    async def judge(self, schema: JsonObject | bool | None, produced: Produced) -> Produced | Failed:
        """The result with its errors under the node's contract; None is no contract."""
        if schema is None:
            return produced
        try:
            return replace(produced, errors=await self.check(schema, produced.output))
        except NotChecked as failure:
            return Failed(failure.code, failure.message, retryable=failure.code != "contract_invalid")
        except CheckerUnavailable as failure:
            return Failed("checker_unavailable", clean_text(failure))
