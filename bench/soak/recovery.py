"""How long it took, after each fault, until a run that began later had ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

FaultTime = tuple[str, float, float]
"""The fault's name, when it began, when everything ran again (seconds, monotonic)."""

Wait = tuple[float, float]
"""When a run's reader began, and had its last frame (seconds, monotonic)."""


def recovery_times(faults: Iterable[FaultTime], waits: Sequence[Wait]) -> dict[str, dict[str, float]]:
    """For each kind of fault the median and the longest recovery, in seconds.

    A recovery is the time from the end of the fault to the first last frame of a run that began after the fault did; 0
    where such a run ended while the fault still lasted. Faults after which no run ended are left out.
    """
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for name, began, ended in faults:
        ends = [last for first, last in waits if first >= began]
        if ends:
            seconds[name].append(max(0.0, min(ends) - ended))
    return {
        name: {"median": round(median(each), 2), "longest": round(max(each), 2)}
        for name, each in sorted(seconds.items())
    }
