"""What the tables say: processes, work that waits, locks, dead letters."""

from __future__ import annotations

from typing import Any

from eventstore.connection import Connection
from eventstore.processes import DEAF_SECONDS, SILENT_SECONDS, ProcessRow
from flexrun import __version__
from flexrun.doctor.findings import Finding, ok, problem, warning
from flexrun.doctor.server import rows
from runs.outstanding import TIMER_QUEUE

LATE_SECONDS = 30.0
LONG_SECONDS = 30.0
BLOCKED_SECONDS = 5.0
MANY = 0.8
_WRONG_CLOCK_SECONDS = 5.0
_NAMED = 3
_EVERY_PROCESS: dict[str, Any] = {
    "role": None, "queue": None, "capability_id": None, "after_worker": "", "after_role": "", "limit": 1000,
}  # fmt: skip
_DUE: dict[str, Any] = {
    "run_id": None, "queue": None, "kind": None, "worker": None, "states": ["due"], "after_due": None,
    "after_run": None, "after_kind": "", "after_ref": "", "timer_queue": TIMER_QUEUE,
    "silent_seconds": SILENT_SECONDS, "limit": 200,
}  # fmt: skip
"""The oldest two hundred pieces of due work."""

_NEEDED = ("gateway", "planner", "executor")


async def look_inside(connection: Connection, backlog_limit: int) -> list[Finding]:
    """Everything that a migrated database knows. Raises psycopg.Error."""
    processes = [ProcessRow(**row) for row in await rows(connection, "processes/list", _EVERY_PROCESS)]
    (lag,) = await rows(connection, "doctor/lag", {"timer_queue": TIMER_QUEUE})
    limits = {"timer_queue": TIMER_QUEUE, "limit": backlog_limit + 1}
    due = await rows(connection, "work/list", _DUE)
    backlog = (await rows(connection, "work/backlog", limits))[0]["count"]
    times = {"long_seconds": LONG_SECONDS, "blocked_seconds": BLOCKED_SECONDS}
    return [
        *_workers(processes),
        *_unserved(due),
        _versions(processes),
        _clocks(processes),
        *_lag(lag),
        *_locks(await rows(connection, "doctor/locks", times)),
        _backlog(backlog, backlog_limit),
        _dead(lag["dead_letters"]),
    ]


def _named(texts: list[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more


def _workers(processes: list[ProcessRow]) -> list[Finding]:
    found: list[Finding] = []
    alive = [each for each in processes if each.status != "silent"]
    missing = [role for role in _NEEDED if not any(each.role == role for each in alive)]
    if missing:
        advice = f"start it: flexrun {missing[0]}, or flexrun up for all of them"
        found.append(problem("workers", "roles", f"no process plays {', '.join(missing)}", advice))
    deaf = [f"{each.worker} ({each.role})" for each in alive if each.status == "deaf"]
    if deaf:
        advice = "look at its log and at /readyz of that process, and restart it"
        found.append(problem("workers", "deaf", f"heard of, and takes no work: {_named(deaf)}", advice))
    silent = [each for each in processes if each.status == "silent"]
    holding = [f"{each.worker} ({each.in_flight} in flight)" for each in silent if each.in_flight]
    if holding:
        name = next(each.worker for each in silent if each.in_flight)
        advice = f"its work is taken over when its leases end, or at once with: flexrun work release --worker {name}"
        found.append(problem("workers", "silent", f"not heard of, and has work: {_named(holding)}", advice))
    elif silent:
        seen = f"not heard of any more: {_named([f'{each.worker} ({each.role})' for each in silent])}"
        found.append(warning("workers", "silent", seen, "start it again if it was not meant to end"))
    return found or [ok("workers", "all", f"{len(alive)} roles and workers, all take work")]


def _unserved(due: list[dict[str, Any]]) -> list[Finding]:
    """Capabilities that work has waited for, and that nobody who is there serves."""
    waiting: dict[str, str] = {}
    for each in due:
        waited = (each["asked_at"] - each["due_at"]).total_seconds()
        if each["served"] is False and waited >= DEAF_SECONDS and each["kind"] == "node":
            waiting.setdefault(each["capability_id"], each["run_id"])
    return [
        problem(
            "workers",
            "capability",
            f"nobody is there who serves {capability}; run {run_id} waits for it",
            f"start a worker or an executor that has it; or look: flexrun capabilities show {capability}",
        )
        for capability, run_id in sorted(waiting.items())
    ]


def _versions(processes: list[ProcessRow]) -> Finding:
    versions = sorted({each.version for each in processes if each.version and each.status != "silent"})
    if len(versions) > 1:
        seen = f"processes of several versions: {', '.join(versions)}"
        return warning(
            "versions", "processes", seen, "finish the deploy: all processes should have one version"
        )
    if versions and versions != [__version__]:
        seen = f"processes have {versions[0]}, this program is {__version__}"
        return warning("versions", "processes", seen, "run the doctor of that version")
    return ok("versions", "processes", versions[0] if versions else "there are none")


def _clocks(processes: list[ProcessRow]) -> Finding:
    told = [(each.worker, each.clock_ahead_seconds or 0.0) for each in processes if each.status != "silent"]
    wrong = [
        f"{worker} is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
        for worker, ahead in told
        if abs(ahead) >= _WRONG_CLOCK_SECONDS
    ]
    if not wrong:
        return ok("clocks", "processes", "all agree with the database's")
    advice = "synchronize its clock (NTP); runs go by the database's clock, but its logs and the capabilities do not"
    return warning("clocks", "processes", _named(sorted(set(wrong))), advice)


def _lag(lag: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    for check, column, advice in (
        ("due work", "due_seconds", "see what and why: flexrun work list --state due, flexrun workers"),
        ("webhooks", "webhook_seconds", "see which: flexrun webhooks list"),
        ("watermark", "watermark_seconds", "end the oldest transaction that writes: see the locks below"),
    ):
        seconds = lag[column]
        if seconds is None:
            found.append(ok("lag", check, "nothing waits"))
        elif seconds < LATE_SECONDS:
            found.append(ok("lag", check, f"{max(seconds, 0):.0f} s"))
        else:
            found.append(warning("lag", check, f"the oldest has waited for {seconds:.0f} s", advice))
    return found


def _locks(sessions: list[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    for each in sessions:
        who = f"{each['application_name'] or 'a session'} (pid {each['pid']}, {each['state']})"
        if each["is_blocked"]:
            seen = f"{who} waits for a lock of pid {each['blocked_by']}"
            advice = (
                f"look at what that does, and end it with: select pg_terminate_backend({each['blocked_by']})"
            )
            found.append(problem("locks", "blocked", seen, advice))
        else:
            seen = f"{who} has had a transaction open for {each['open_seconds']:.0f} s"
            advice = (
                f"it holds up readers of the log; end it with: select pg_terminate_backend({each['pid']})"
            )
            found.append(warning("locks", "long transaction", seen, advice))
    return found or [ok("locks", "all", "no long transaction, nobody waits for a lock")]


def _backlog(count: int, limit: int) -> Finding:
    seen = (
        f"{count} of {limit} pieces of work wait"
        if count <= limit
        else f"more than {limit} pieces of work wait"
    )
    if count < limit * MANY:
        return ok("limits", "backlog", seen)
    advice = "start more executors or planners; above the limit new runs get 503 backlog_full (FLEXRUN_BACKLOG_LIMIT)"
    level = problem if count >= limit else warning
    return level("limits", "backlog", seen, advice)


def _dead(count: int) -> Finding:
    if not count:
        return ok("lag", "dead letters", "none in the database")
    return warning("lag", "dead letters", f"{count} in the database", "look at them: flexrun dead list")
