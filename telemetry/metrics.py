"""Counters, gauges and histograms of this process, as plain numbers.

An observation is a look-up and an addition: no lock, no library. All are made by the thread of the event loop.
`flexrun.metrics` turns them into Prometheus' format when they are asked for; `telemetry.catalogue` declares them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OTHER = "other"
"""The value of a label whose limit of different values is reached."""


class LabelValues:
    """The values of a label that strangers choose: the first `most` of them are shown, all later ones are `other`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: dict[str, str] = {}

    def bounded(self, value: str) -> str:
        """`value`, or `other`."""
        known = self._known.get(value)
        if known is not None:
            return known
        if len(self._known) >= self.most:
            return OTHER
        self._known[value] = value
        return value


@dataclass(frozen=True, slots=True)
class Label:
    """A name, and where its values are not ours, how many of them are shown."""

    name: str
    values: LabelValues | None = None


class Metric:
    """What all kinds share: a name by Prometheus' conventions, a sentence, labels."""

    kind = ""

    def __init__(self, name: str, about: str, labels: Sequence[Label] = ()) -> None:
        self.name = name
        self.about = about
        self.labels = tuple(labels)
        self._bounds = tuple((at, each.values) for at, each in enumerate(labels) if each.values is not None)

    def _key(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """`values` with those that are beyond their limit as `other`."""
        bounded = list(values)
        for at, limit in self._bounds:
            bounded[at] = limit.bounded(bounded[at])
        return tuple(bounded)


class Counter(Metric):
    """A number that only grows."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: Sequence[Label] = ()) -> None:
        super().__init__(name, about, labels)
        self._sums: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Count one, or `amount`, under these values of the labels."""
        sums = self._sums
        if values in sums:
            sums[values] += amount
            return
        key = self._key(values)
        sums[key] = sums.get(key, 0.0) + amount

    def sums(self) -> list[tuple[tuple[str, ...], float]]:
        """The sums so far, by the values of the labels."""
        return list(self._sums.items())


class Gauge(Metric):
    """A number that is looked up when it is asked for."""

    kind = "gauge"

    def __init__(self, name: str, about: str, labels: Sequence[Label] = ()) -> None:
        super().__init__(name, about, labels)
        self._now: dict[tuple[str, ...], float] = {}

    def set(self, *values: str, to: float) -> None:
        """The number of now under these values of the labels."""
        self._now[self._key(values)] = to

    def replace(self, numbers: Mapping[tuple[str, ...], float]) -> None:
        """All numbers of now: what is not named is no more. Those that share `other` are added up."""
        now: dict[tuple[str, ...], float] = {}
        for values, number in numbers.items():
            key = self._key(values)
            now[key] = now.get(key, 0.0) + number
        self._now = now

    def sums(self) -> list[tuple[tuple[str, ...], float]]:
        """The numbers of now, by the values of the labels."""
        return list(self._now.items())


@dataclass(slots=True)
class Distribution:
    """How many observations fell into each bucket, the last one without an upper end, and their sum."""

    counts: list[int]
    total: float = 0.0


class Histogram(Metric):
    """How observations are distributed over buckets, each named by its upper end."""

    kind = "histogram"

    def __init__(
        self, name: str, about: str, labels: Sequence[Label] = (), *, buckets: Sequence[float]
    ) -> None:
        super().__init__(name, about, labels)
        self.buckets = tuple(buckets)
        self._distributions: dict[tuple[str, ...], Distribution] = {}

    def observe(self, *values: str, number: float) -> None:
        """One observation under these values of the labels."""
        found = self._distributions.get(values) or self._first(values)
        found.counts[bisect_left(self.buckets, number)] += 1
        found.total += number

    def _first(self, values: tuple[str, ...]) -> Distribution:
        key = self._key(values)
        found = self._distributions.get(key)
        if found is None:
            found = self._distributions[key] = Distribution([0] * (len(self.buckets) + 1))
        return found

    def distributions(self) -> list[tuple[tuple[str, ...], Distribution]]:
        """All observations, by the values of the labels."""
        return [
            (values, Distribution(list(each.counts), each.total))
            for values, each in list(self._distributions.items())
        ]


def label_names(metric: Metric) -> list[str]:
    return [each.name for each in metric.labels]


def declared(module: object) -> Iterable[Metric]:
    """The metrics that a module declares, in its order."""
    return [each for each in vars(module).values() if isinstance(each, Metric)]
