"""Bugs that are put in on purpose, each one line of the engine: the simulation must find every one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """In `module`, which has `before` once, `after` stands in its place; it breaks this promise, by its number."""

    name: str
    module: str
    before: str
    after: str
    promise: int


BUGS = (
    Bug(
        "an append that met a conflict is taken for stored",
        "eventstore.writer",
        "            if append.run_id not in conflicts:\n",
        "            if True:\n",
        1,
    ),
    Bug(
        "a timer is fired by the process alone that has the run in memory, so it is lost with it",
        "broker.keeper",
        "await leases.due_timers(self._store, limit), self._fire)",
        "[row for row in await leases.due_timers(self._store, limit) if self._store.cached(row.run_id)], self._fire)",
        1,
    ),
    Bug(
        "an abort that comes after the end is answered as if it had ended the run",
        "runs.rules.control",
        "    if draft.state.status == ABORTED:\n        return\n    if draft.state.finished:",
        "    if draft.state.finished:\n        return\n    if draft.state.finished:",
        1,
    ),
    Bug(
        "leases of lost workers are never looked for",
        "broker.keeper",
        "await leases.expired(self._store, limit), self._hand_back",
        "[], self._hand_back",
        1,
    ),
    Bug(
        "hints that were lost are never sent again",
        "broker.keeper",
        "        if not self._broker.forgets_hints or not self._broker.healthy:\n",
        "        if True:\n",
        1,
    ),
    Bug(
        "a topic takes events behind a gap",
        "eventstore.topic",
        "        if events[0].seq > self.head + 1:\n",
        "        if False:\n",
        3,
    ),
    Bug(
        "the cursor of the whole log skips what commits late",
        "simulation.database.log",
        "    return event.xid < tables.watermark\n",
        "    return True\n",
        3,
    ),
    Bug(
        "the result of an attempt whose lease was lost is taken for that of the current one",
        "runs.rules.nodes",
        "    if node.status != t.RUNNING or node.attempt != attempt:\n",
        "    if node.status != t.RUNNING:\n",
        4,
    ),
    Bug(
        "a message that comes twice starts an attempt twice",
        "runs.rules.nodes",
        "    if node.status not in (t.READY, t.WAITING_RETRY) or command.attempt != node.attempt + 1:\n",
        "    if command.attempt not in (node.attempt, node.attempt + 1):\n",
        4,
    ),
    Bug(
        "failures are counted from zero after a worker was lost",
        "runs.evolve",
        "        failures=node.failures + (0 if lost else 1),\n",
        "        failures=0 if lost else node.failures + 1,\n",
        4,
    ),
    Bug(
        "outputs are not checked",
        "executor.checks",
        '        return tuple(cast("list[JsonObject]", errors))\n',
        "        return ()\n",
        5,
    ),
    Bug(
        "a decision is taken after the end of its request",
        "runs.rules.decisions",
        "    if request.expires_at is not None and running_time(draft) >= request.expires_at:\n",
        "    if False:\n",
        6,
    ),
    Bug(
        "a quorum counts one person twice",
        "runs.rules.votes",
        '    if any(vote["operator"] == name for vote in votes):\n',
        "    if False:\n",
        6,
    ),
    Bug(
        "work that is over stays in its table",
        "eventstore.prepared",
        "project(before, after, events, work_before, work_after)",
        "project(before, after, events, {}, work_after)",
        7,
    ),
    Bug(
        "contracts are checked without a deadline",
        "contracts.checker",
        "        seconds = self._config.checker.deadline_seconds\n",
        "        seconds = None\n",
        8,
    ),
)
