"""`docs/metrics.md`, made from `telemetry.catalogue`.

`python -m flexrun.metrics.page` writes it, `python -m flexrun.metrics.page --check` fails where it is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flexrun.generated_page import write_or_check
from flexrun.metrics.sample import COUNTED, FRESH_SECONDS
from telemetry import catalogue
from telemetry.metrics import Histogram, Metric, declared

TARGET = Path(__file__).parents[2] / "docs" / "metrics.md"

HEAD = f"""# Metrics

Generated from `telemetry/catalogue.py` by `python -m flexrun.metrics.page`; do not edit.

`GET /metrics` answers in Prometheus' text format, or OpenMetrics where the request accepts it:

- on the **health port** of every process (`FLEXRUN_HEALTH_PORT`), without a token: who may connect may read them;
- on the **gateway's port**. With tokens configured it takes one, as every endpoint does (`authorization:` of
  Prometheus' `scrape_config`), unless `FLEXRUN_METRICS_OPEN=true`. Without tokens it answers callers on this machine.

Scrape **every** process: what happens in a run is counted by the process that stores it, and each process has its own
slots, pool and sandbox. Counters begin at 0 with each process; `sum(rate(…))` over all processes is the installation.
Where a process has had no event of a kind, the series is not there yet, so `increase()` does not see the first one.

Three kinds of cost are bounded:

- **Labels.** The first {catalogue.MAX_CAPABILITIES} capabilities that a process meets have series of their own, and
  the first {catalogue.MAX_QUEUES} queues and {catalogue.MAX_CODES} error codes; later ones are counted under `other`.
  No label has a run, a person or an address.
- **The database.** What only it knows (`flexrun_runs` and all that follow it in the table) is asked when metrics are,
  once in {FRESH_SECONDS:g} s at most by each process. Each count goes along an index and stops at {COUNTED:,}: that
  number means "that many or more". Runs that have ended are not counted there: `flexrun_runs_finished_total` has them.
  Every process gives the same numbers, so take `max` and not `sum`. While the database does not answer these are left
  out, and `flexrun_database_sampled` is 0.
- **The event loop.** An observation is a look-up in a dictionary and an addition, 0.3 µs of CPU time
  (a million in a row, Python 3.11); the text is written in a thread.

Beside these there are `process_cpu_seconds_total`, `process_resident_memory_bytes` and the other `process_…` of
Prometheus' client library. [deploy/](../deploy/README.md) has a dashboard and alert rules over them, and
[runbook.md](runbook.md) says what to do about each alert.

| metric | kind | labels | what it is |
|---|---|---|---|
"""


def document() -> str:
    """The page."""
    return HEAD + "".join(map(_row, declared(catalogue)))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{each.name}`" for each in metric.labels) or "–"  # noqa: RUF001 - the dash of our tables
    about = metric.about
    if isinstance(metric, Histogram):
        about += f" Buckets: {', '.join(f'{end:g}' for end in metric.buckets)}."
    return f"| `{metric.name}` | {metric.kind} | {labels} | {about} |\n"


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date (exit 1 when not)."""
    return write_or_check(TARGET, document(), "flexrun.metrics.page")


if __name__ == "__main__":
    sys.exit(main())
