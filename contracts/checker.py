"""Checks callers' JSON Schemas: may one be a contract, and does a document satisfy it?

Nothing else in flexrun gives a caller's schema to a validator. It checks in a sandbox (one of its own, unless one is
given). Each process has one checker:

    async with ContractChecker() as checker:
        contract = await checker.compile(schema)       # SchemaRefused: the caller's mistake, with pointers
        errors = await checker.check(schema, output)   # [] means valid
"""

import hashlib
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import orjson

from contracts.config import CheckerConfig
from contracts.documents import encode_document
from contracts.gate import DEFAULT_LIMITS, GateLimits, canonical_schema
from contracts.lru import LruCache
from contracts.problems import (
    AjvError,
    CheckCrashed,
    CheckerUnavailable,
    CheckTimedOut,
    SchemaProblem,
    SchemaRefused,
)
from sandbox.config import SandboxConfig
from sandbox.errors import InputRefused, SandboxCrashed, SandboxFailed, SandboxTimedOut, SandboxUnavailable
from sandbox.sandbox import Sandbox
from telemetry.catalogue import CONTRACT_CHECKS

_CHECK = "contracts.process:check"
_TOO_MUCH = "Checking needed more memory or stack than there is for it."
_BACKTRACKING_SIGNS = (b"(?=", b"(?!", b"(?<=", b"(?<!", *(rb"\\%d" % number for number in range(1, 10)))
_BACKTRACKING_HINT = (
    " A pattern with look-around or a back-reference may take that long on some texts; write it without."
)


@dataclass(frozen=True, slots=True)
class CompiledContract:
    """A schema that may serve as a contract; `schema_hash` names it in any order of its keys."""

    schema_hash: str


def schema_hash(schema: object) -> str:
    """SHA-256 (hex) of the schema's canonical text; raises SchemaRefused for what is too large or not a schema."""
    return _hash(canonical_schema(schema))


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


class ContractChecker:
    """Safe for concurrent use within one event loop. Its state is caches only."""

    def __init__(
        self,
        config: CheckerConfig | None = None,
        limits: GateLimits = DEFAULT_LIMITS,
        *,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._config = config or CheckerConfig()
        self._limits = limits
        self._limits_wire = asdict(limits)
        self._is_owner = sandbox is None
        self._sandbox = sandbox or Sandbox(_sandbox_config(self._config))
        self._compiled: LruCache[str, CompiledContract] = LruCache(self._config.remembered_passes)
        self._refused: LruCache[str, list[SchemaProblem]] = LruCache(self._config.remembered_refusals)

    @property
    def sandbox(self) -> Sandbox:
        """The child processes in which it checks."""
        return self._sandbox

    @property
    def checker_pids(self) -> list[int]:
        """The processes that do the checking: those at work first, then the spare."""
        return self._sandbox.pids

    async def start(self) -> None:
        """Start the checkers and return when one is ready; raises CheckerUnavailable."""
        if not self._is_owner:
            return
        try:
            await self._sandbox.start()
        except SandboxUnavailable as failure:
            raise CheckerUnavailable(str(failure)) from None

    async def close(self) -> None:
        """End the checkers, unless the sandbox was given; checks in flight raise CheckerUnavailable."""
        if self._is_owner:
            await self._sandbox.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def compile(self, schema: object) -> CompiledContract:
        """Whether `schema` may be a contract: raises SchemaRefused with everything wrong, or CheckerUnavailable.

        Also refused is what a check would pass over, such as a misspelt keyword: see `contracts.lint`.
        """
        text = canonical_schema(schema, self._limits)
        name = _hash(text)
        if compiled := self._compiled.get(name):
            return compiled
        try:
            await self._ask(name, text, None)
        except CheckTimedOut as failure:
            raise self._refuse(name, [SchemaProblem("schema_check_timed_out", "", str(failure))]) from None
        except CheckCrashed as failure:
            raise self._refuse(name, [SchemaProblem("schema_check_crashed", "", str(failure))]) from None
        return self._accept(name)

    async def check(self, schema: object, document: object) -> list[AjvError]:
        """What `document` breaks of `schema`, at most `max_errors`; an empty list means that it is valid.

        Raises SchemaRefused, and CheckFailed (CheckTimedOut, CheckCrashed, CheckerUnavailable) when there is no
        verdict. A schema need not be compiled before.
        """
        text = canonical_schema(schema, self._limits)
        name = _hash(text)
        encoded = encode_document(document, self._config)
        if not isinstance(encoded, bytes):
            return encoded
        reply = await self._ask(name, text, encoded)
        if "gave_up" in reply:
            raise CheckCrashed(_TOO_MUCH)
        return reply["errors"]

    async def _ask(self, name: str, text: bytes, document: bytes | None) -> dict[str, Any]:
        """The worker's answer; raises SchemaRefused, CheckTimedOut, CheckCrashed, CheckerUnavailable."""
        refused_as = _refused_as(name, document)
        if problems := self._refused.get(name) or self._refused.get(refused_as):
            CONTRACT_CHECKS.add("refused")
            raise SchemaRefused(problems)
        argument: dict[str, Any] = {
            "hash": name,
            "max_errors": self._config.checker.max_errors,
            "limits": self._limits_wire,
        }
        if document is not None:
            argument["document"] = orjson.Fragment(document)
        seconds = self._config.checker.deadline_seconds
        try:
            verdict = await self._sandbox.call(_CHECK, argument, text, deadline_seconds=seconds)
        except InputRefused as refusal:
            CONTRACT_CHECKS.add("refused")
            raise self._refuse(refused_as, [SchemaProblem(**problem) for problem in refusal.data]) from None
        except SandboxTimedOut:
            CONTRACT_CHECKS.add("timed_out")
            hint = _BACKTRACKING_HINT if any(sign in text for sign in _BACKTRACKING_SIGNS) else ""
            raise CheckTimedOut(f"Checking took more than {seconds:g} s and was stopped.{hint}") from None
        except SandboxCrashed:
            CONTRACT_CHECKS.add("crashed")
            raise CheckCrashed(_TOO_MUCH) from None
        except SandboxFailed as failure:
            CONTRACT_CHECKS.add("unavailable")
            raise CheckerUnavailable(str(failure)) from None
        CONTRACT_CHECKS.add("checked")
        return verdict

    def _refuse(self, refused_as: str, problems: list[SchemaProblem]) -> SchemaRefused:
        self._refused.put(refused_as, problems)
        return SchemaRefused(problems)

    def _accept(self, name: str) -> CompiledContract:
        compiled = CompiledContract(name)
        self._compiled.put(name, compiled)
        return compiled


def _refused_as(name: str, document: bytes | None) -> str:
    """A schema that is refused when it comes in may be the contract of a run of an earlier release."""
    return name if document is not None else f"{name} coming in"


def _sandbox_config(config: CheckerConfig) -> SandboxConfig:
    return SandboxConfig(
        processes=config.checkers,
        spares=config.spares,
        in_flight=config.in_flight,
        deadline_seconds=config.checker.deadline_seconds,
        memory_bytes=config.checker.memory_bytes,
        stall_seconds=config.stall_seconds,
        startup_seconds=config.startup_seconds,
        preload=("contracts.process",),
    )
