"""The model planner: a language model proposes plans; where none of them passes, the contract planner plans."""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson
import structlog

from contracts.lru import LruCache
from outbound.env_secrets import EnvSecrets, SecretMissing
from outbound.models.answer import check_ended_well, usage_of
from outbound.models.asking import Models, Question
from outbound.models.failure import ModelFailed
from outbound.models.request import Wanted
from planner.listed import ListedText, context_argument
from planner.model.prompt import SYSTEM
from planner.model.proposal import PROPOSAL_SCHEMA, ProposalRefused
from planner.model.record import Record
from planner.planner import CheckedPlan, JsonObject, PlanContext, PlanRefused, diagnostic
from planner.sandboxed import SandboxedPlanner
from runs.stored_policies import read_policies
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.clean_text import clean_text
from schemas.planner_model import PlannerModel
from schemas.redaction import REDACTED, redact

MAX_ANSWER_BYTES = 512 * 1024
"""The largest answer that is read: twice what a plan with as many nodes as there may be takes."""

_ASK = "planner.model.child:ask"
_ACCEPT = "planner.model.child:accept"
_CHILD_SECONDS = 2.0
"""CPU time for a prompt, and for the check of a proposal; a usual one takes some milliseconds."""

_SHOWN_CHARACTERS = 20_000
"""How much of its last answer a model is shown with what was wrong with it."""

_FAILURES_IN_A_ROW = 3
_REST_SECONDS = 30.0
"""A model whose endpoint has failed so often is not asked for so long, so that runs need not wait for it."""

_REMEMBERED = 1_000
_WANTED = Wanted(PROPOSAL_SCHEMA, checked=True)

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class _Fallback(Exception):
    """Why the contract planner is to plan."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ModelPlanner:
    """Asks the model, checks what it proposes in a child of `sandbox`, and tells it what was wrong.

    All that goes wrong with the model ends in the plan of `otherwise`; the result says so (`planning`).
    """

    name = "model"
    instant = False

    def __init__(
        self, model: PlannerModel, models: Models, sandbox: Sandbox, otherwise: SandboxedPlanner
    ) -> None:
        self._model = model
        self._models = models
        self._sandbox = sandbox
        self._otherwise = otherwise
        self._registered = ListedText()
        self._records: LruCache[tuple[str, int], Record] = LruCache(_REMEMBERED)
        self._failures = 0
        self._rests_until = 0.0

    async def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> CheckedPlan:
        """A plan that has been checked. Raises PlanRefused, PlanFaulty."""
        record = self._record(context)
        began = time.monotonic()
        try:
            plan = await self._proposed(envelope, capabilities, context, record)
        except _Fallback as fallback:
            _log.info("model_gave_no_plan", run_id=context.run_id, code=fallback.code)
            planning = record.to_wire("contract", fallback.code, fallback.reason)
            return await self._planned_otherwise(envelope, capabilities, context, planning)
        finally:
            record.seconds_used += time.monotonic() - began
        return CheckedPlan(
            plan, record.to_wire("model", "plan_accepted", "The model's plan passed every check.")
        )

    async def _planned_otherwise(
        self,
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        context: PlanContext,
        planning: JsonObject,
    ) -> CheckedPlan:
        try:
            checked = await self._otherwise.plan(envelope, capabilities, context)
        except PlanRefused as refused:
            refused.planning = planning
            raise
        return CheckedPlan(checked.plan, planning)

    def _record(self, context: PlanContext) -> Record:
        """What was tried before in this planning attempt: its tries and seconds are not given anew."""
        key = (context.run_id, context.attempt)
        record = self._records.get(key) or Record(self._model.model)
        self._records.put(key, record)
        return record

    async def _proposed(
        self,
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        context: PlanContext,
        record: Record,
    ) -> JsonObject:
        """A proposal that passes. Raises _Fallback."""
        if context.done:
            message = "Work that is completed is kept, which the contract planner knows how to do."
            raise _Fallback("model_not_asked", message)
        argument = {"envelope": envelope, **context_argument(context)}
        registered = self._registered.of(capabilities, context)
        prompt = await self._prompt(argument, registered)
        key = self._key()
        deadline = time.monotonic() + self._model.seconds - record.seconds_used
        said, errors = "", list[JsonObject]()
        while len(record.tries) < self._model.tries:
            self._check_may_ask(envelope, record, deadline)
            told = f"{prompt}\n\nYour last answer was:\n{said}" if said else prompt
            question = Question(self._model, key, told, self._system, _WANTED, errors, deadline)
            said, usage = await self._answer(question, record)
            if said is None:
                said = ""
                continue
            try:
                plan = await self._accepted({**argument, "text": said}, registered)
            except ProposalRefused as refused:
                record.add("plan_refused", refused.diagnostics, usage)
                said = said[:_SHOWN_CHARACTERS]
                errors = [{"instancePath": e["path"], "message": e["message"]} for e in refused.diagnostics]
            else:
                record.add("plan_accepted", [], usage)
                return plan
        raise _Fallback("tries_spent", f"No plan of the model passed in {len(record.tries)} tries.")

    @property
    def _system(self) -> str:
        more = self._model.instructions
        return SYSTEM if more is None else f"{SYSTEM}\n\n{more}"

    def _key(self) -> str | None:
        if self._model.api_key is None:
            return None
        try:
            return EnvSecrets().resolve(self._model.api_key)
        except SecretMissing as missing:
            raise _Fallback("secret_missing", str(missing)) from None

    async def _prompt(self, argument: JsonObject, registered: bytes) -> str:
        try:
            return await self._sandbox.call(_ASK, argument, registered, deadline_seconds=_CHILD_SECONDS)
        except InputRefused as refused:
            why = redact(clean_text(refused.data["diagnostics"][0]["message"], 500))
            raise _Fallback(
                "model_not_asked", f"No plan can exist, so the model was not asked: {why}"
            ) from None
        except (SandboxTimedOut, SandboxCrashed):
            message = "The contract takes too much to write down for the model, which was not asked."
            raise _Fallback("model_not_asked", message) from None

    def _check_may_ask(self, envelope: JsonObject, record: Record, deadline: float) -> None:
        """Raise _Fallback where the time, or the run's tokens, are spent, or the endpoint is left alone."""
        if time.monotonic() >= deadline:
            reason = f"The {self._model.seconds:g} s that the model may take are over."
            raise _Fallback("model_time_spent", reason)
        if time.monotonic() < self._rests_until:
            reason = f"The model's endpoint failed {_FAILURES_IN_A_ROW} times in a row and is not asked for a while."
            raise _Fallback("model_resting", reason)
        budget = read_policies(envelope).budget
        if (
            record.tries
            and budget is not None
            and budget.tokens is not None
            and record.tokens >= budget.tokens
        ):
            raise _Fallback(
                "budget_spent", f"The model has used {record.tokens:,} tokens, the run's whole budget."
            )

    async def _answer(self, question: Question, record: Record) -> tuple[str | None, JsonObject]:
        """The text, and what it took; no text where the model may be asked again. Raises _Fallback."""
        usage: JsonObject = {}
        began = time.monotonic()
        try:
            answer, _ = await self._models.ask(question)
            usage = usage_of(answer, self._model.price, time.monotonic() - began)
            check_ended_well(answer)
        except ModelFailed as failed:
            message = redact(clean_text(failed.message, 500))
            record.add(failed.code, [diagnostic(failed.code, message)], usage or None)
            self._count(failed=failed.endpoint_failed)
            if failed.code == "model_answer_empty":
                return None, usage
            raise _Fallback(failed.code, f"The model gave no plan: {message}") from None
        self._count(failed=False)
        return answer.text.replace(question.key, REDACTED) if question.key else answer.text, usage

    def _count(self, *, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= _FAILURES_IN_A_ROW:
            self._failures = 0
            self._rests_until = time.monotonic() + _REST_SECONDS

    async def _accepted(self, argument: JsonObject, registered: bytes) -> JsonObject:
        """The plan of a proposal. Raises ProposalRefused."""
        try:
            text: bytes = await self._sandbox.call(
                _ACCEPT, argument, registered, deadline_seconds=_CHILD_SECONDS
            )
        except InputRefused as refused:
            raise ProposalRefused([_shown(each) for each in refused.data["diagnostics"]]) from None
        except (SandboxTimedOut, SandboxCrashed):
            message = "Checking the plan took too much; make it smaller."
            raise ProposalRefused([diagnostic("plan_too_complex", message)]) from None
        return orjson.loads(text)


def _shown(each: JsonObject) -> JsonObject:
    """A diagnostic fit for the log: what it quotes is the model's."""
    return diagnostic(
        each["code"], redact(clean_text(each["message"], 500)), clean_text(each.get("path", ""), 500)
    )
