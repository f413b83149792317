"""The command: many seeds in several processes, or one with its trace."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.pool import Pool
from typing import TYPE_CHECKING

from simulation import changed_source, clockwork
from simulation.changed_source import Change

if TYPE_CHECKING:
    from simulation.world import Report

_SEEDS_AT_ONCE = 20
_PROGRESS_SECONDS = 1.0
_MOST_SHOWN = 20

HELP = """Run the engine on a simulated clock, database, broker and sandbox, with faults drawn from a seed,
and check the promises of docs/design.md. Exit status: 0 all promises kept, 1 a promise broken, 130 interrupted."""


@dataclass(slots=True)
class Sum:
    """What many seeds came to."""

    seeds: int = 0
    broken: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    simulated_seconds: float = 0.0
    facts: dict[str, int] = field(default_factory=dict[str, int])
    hashes: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, report: Report, *, keeps_hashes: bool) -> None:
        """Count a seed."""
        self.seeds += 1
        self.simulated_seconds += report.simulated_seconds
        for name, times in report.facts.items():
            self.facts[name] = self.facts.get(name, 0) + times
        if report.broken:
            self.broken[report.seed] = report.broken
        if keeps_hashes:
            self.hashes[report.seed] = report.trace_hash


def main(words: Sequence[str]) -> int:
    """Run the command with these words."""
    told = _parser().parse_args(words)
    change = Change(*told.change) if told.change else None
    if told.seed is not None:
        return _show(told.seed, change, as_json=told.json)
    if told.seeds < 1 or told.jobs < 1:
        _parser().error("--seeds and --jobs are at least 1")
    seeds = range(told.first, told.first + told.seeds)
    found, interrupted = Sum(), False
    try:
        for report in _reports(seeds, told.jobs, change):
            found.add(report, keeps_hashes=told.hashes)
            _progress(found, told.seeds)
            if told.each:
                print(f"seed {report.seed}: {report.trace_hash}", flush=True)
            if report.broken and not told.json:
                print(f"\rseed {report.seed}: {'; '.join(report.broken)}")
            if report.broken and told.first_only:
                break
    except KeyboardInterrupt:
        interrupted = True
    _tell(found, as_json=told.json)
    if interrupted:
        return 130
    return 1 if found.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m simulation", description=HELP)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds to run (1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this seed alone, and print its trace")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (one per core)"
    )
    parser.add_argument(
        "--first", action="store_true", dest="first_only", help="stop at the first broken promise"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--hashes", action="store_true", help="with --json, the hash of each seed's trace")
    parser.add_argument("--each", action="store_true", help="print each seed with the hash of its trace")
    names = ("MODULE", "BEFORE", "AFTER")
    parser.add_argument(
        "--change", nargs=3, metavar=names, help="put this text in the place of that one in a module"
    )
    return parser


def _begin(change: Change | None) -> None:
    """Get a process ready for seeds, before it has imported anything of the engine."""
    clockwork.install()
    if change is not None:
        changed_source.make(change)
    import gc  # noqa: PLC0415 - beside what it is for

    import structlog  # noqa: PLC0415 - imports nothing of the engine, but costs its time

    quiet = structlog.make_filtering_bound_logger(50)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=True)
    import simulation.world as _  # noqa: PLC0415, F401 - after the change

    gc.collect()
    gc.freeze()


def _begin_worker(change: Change | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    _begin(change)


def _simulate(seed: int) -> Report:
    from simulation.world import simulate  # noqa: PLC0415 - after the clocks and the change

    return simulate(seed)


def _reports(seeds: range, jobs: int, change: Change | None) -> Iterator[Report]:
    if jobs == 1 or len(seeds) <= _SEEDS_AT_ONCE:
        _begin(change)
        yield from map(_simulate, seeds)
        return
    context = multiprocessing.get_context("spawn")  # each begins with nothing of the engine imported
    pool: Pool = context.Pool(jobs, _begin_worker, (change,))
    try:
        yield from pool.imap_unordered(_simulate, seeds, chunksize=_SEEDS_AT_ONCE)
    finally:
        pool.terminate()
        pool.join()


def _show(seed: int, change: Change | None, *, as_json: bool) -> int:
    """Replay one seed."""
    _begin(change)
    from simulation.world import simulate  # noqa: PLC0415 - after the clocks and the change

    report = simulate(seed, keeps_lines=True)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print("\n".join(report.lines))
        print(f"\nseed {seed}: {report.simulated_seconds:g} simulated seconds, trace {report.trace_hash}")
        print("\n".join(report.broken) or "all promises were kept")
    return 1 if report.broken else 0


_told_at = 0.0


def _progress(found: Sum, seeds: int) -> None:
    global _told_at  # noqa: PLW0603 - of the one command that this process is
    if not sys.stderr.isatty() or time.monotonic() - _told_at < _PROGRESS_SECONDS:
        return
    _told_at = time.monotonic()
    print(
        f"\r{found.seeds:,} of {seeds:,} seeds, {len(found.broken)} broken",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _tell(found: Sum, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(found)))
        return
    hours = found.simulated_seconds / 3600
    events = sum(times for name, times in found.facts.items() if not name.startswith("refused"))
    print(f"\n{found.seeds:,} seeds, {hours:,.1f} simulated hours, {events:,} events")
    if found.broken:
        shown = ", ".join(map(str, list(found.broken)[:_MOST_SHOWN]))
        print(
            f"promises were broken by {len(found.broken)} seeds: {shown}; python -m simulation --seed N replays one"
        )
    else:
        print("all promises were kept")
