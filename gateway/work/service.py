"""The work that this gateway hands out to workers, and what they report about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.checker import ContractChecker
from eventstore.capability_cache import CapabilityCache
from eventstore.clock import Clock
from eventstore.handler import RunHandler
from eventstore.leases import Beat
from eventstore.listener import LogListener
from eventstore.run_writer import RunWriter
from eventstore.store import EventStore
from eventstore.task_tokens import TaskKey, TaskTokens
from gateway.errors import CapabilityUnknown, GatewayError
from gateway.work.handed_out import LEASE_SECONDS, REMOTE, HandedOut, Starter
from gateway.work.heartbeats import Heartbeats
from gateway.work.line_limits import LineLimits
from gateway.work.matcher import Matcher
from gateway.work.presence import Presence
from gateway.work.report import Reports
from gateway.work.served_versions import named_versions, served_by
from runs.errors import RunError
from schemas.refusal import FieldProblem
from schemas.tenant import DEFAULT_TENANT
from schemas.work import ClaimBody, ServedCapability, WorkError


class NotForWorkers(GatewayError):
    """A claim names capabilities whose home is not `worker`."""

    code = "not_for_workers"


def worker_of(tenant: str, worker_id: str) -> str:
    """The name of a worker in leases: two tenants may have workers of one id."""
    return worker_id if tenant == DEFAULT_TENANT else f"{tenant}/{worker_id}"


class RemoteWork:
    """One per gateway. Methods raise StoreError; those with a task raise RunError where its attempt is over."""

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        contracts: ContractChecker,
        capabilities: CapabilityCache,
        listener: LogListener | None,
        clock: Clock,
    ) -> None:
        self._store = store
        self._capabilities = capabilities
        self._clock = clock
        self.tokens = TaskTokens(store)
        writer = RunWriter(handler)
        self.reports = Reports(store, writer, contracts, clock)
        self.lines = LineLimits()
        self._heartbeats = Heartbeats(store)
        starter = Starter(store, writer, capabilities, self.tokens, clock)
        self._matcher = Matcher(store, starter, capabilities, listener, f"claim:{store.origin}:work")
        self._presence = Presence(
            store, capabilities, lambda: (poll.worker for poll in self._matcher.polls())
        )

    async def claim(self, body: ClaimBody, tenant: str = DEFAULT_TENANT) -> list[HandedOut]:
        """Wait for work for a worker of a tenant, which may serve the tenant's own capabilities only.

        Raises CapabilityUnknown, NotForWorkers, TooManyPolls.
        """
        await self._capabilities.current()
        if any(
            self._unknown(body.capabilities, tenant)
        ):  # it may have been registered a moment ago, at another gateway
            await self._capabilities.refresh()
        self._check(body.capabilities, tenant)
        worker = f"{REMOTE}{worker_of(tenant, body.worker_id)}"
        await self._presence.claims(worker, body.capabilities, body.slots)
        served, named = served_by(body.capabilities, self._capabilities), named_versions(body.capabilities)
        given = await self._matcher.claim(worker, served, named, body.slots, body.wait_seconds)
        if given:
            self._presence.took(worker)
        return given

    @property
    def waiting(self) -> int:
        """How many claims wait."""
        return self._matcher.waiting

    def take_back(self, given: Sequence[HandedOut]) -> None:
        """Start taking back what was started for a claim whose answer could not be sent."""
        self._matcher.take_back(given)

    async def heartbeat(self, task: TaskKey) -> bool:
        """Extend the lease of an attempt; False where its worker is to stop, since it is over or its time is up."""
        self._presence.heard(task.worker)
        if task.ends_at is not None and self._clock().timestamp() > task.ends_at:
            await self._time_is_up(task)
            return False
        seconds = task.lease_seconds or LEASE_SECONDS
        return await self._heartbeats.extend(
            Beat(task.run_id, task.node_id, task.attempt, task.worker, seconds)
        )

    def stop(self) -> None:
        """Answer all claims that wait."""
        self._matcher.stop()

    async def close(self) -> None:
        """Wait for what is being started or taken back."""
        await self._matcher.close()
        await self._presence.close()
        await self._heartbeats.close()

    async def _time_is_up(self, task: TaskKey) -> None:
        try:
            error = WorkError(code="timeout", message="no output before the attempt's deadline")
            await self.reports.fail(task, error, outcome_unknown=True)
        except RunError:
            return  # it was over before

    def _check(self, served: Sequence[ServedCapability], tenant: str) -> None:
        unknown = list(self._unknown(served, tenant))
        if unknown:
            detail = "A capability is not registered: POST /api/v1/flex/capabilities/register first."
            raise CapabilityUnknown(detail, errors=unknown)
        others = list(self._others(served))
        if others:
            raise NotForWorkers("A capability is not for workers; its home says who does it.", errors=others)

    def _unknown(self, served: Sequence[ServedCapability], tenant: str) -> Iterator[FieldProblem]:
        for index, each in enumerate(served):
            row = self._capabilities.registered(each.id, each.version)
            if row is None or row.tenant != tenant:
                version = f" in version {each.version}" if each.version else ""
                message = f"{each.id} is not registered{version}; register it, with the home 'worker'."
                yield FieldProblem("capability_unknown", f"/capabilities/{index}/id", message)

    def _others(self, served: Sequence[ServedCapability]) -> Iterator[FieldProblem]:
        for index, each in enumerate(served):
            row = self._capabilities.registered(each.id, each.version)
            if row is not None and row.home != "worker":
                message = f"the home of {each.id} is {row.home!r}; workers serve the home 'worker' only."
                yield FieldProblem("not_for_workers", f"/capabilities/{index}/id", message)
