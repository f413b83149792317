"""The metrics of this process as Prometheus reads them. Imported when they are first asked for, to start faster."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from telemetry import catalogue
from telemetry.metrics import Counter, Gauge, Histogram, declared, label_names


class _Catalogue(Collector):
    """Turns each metric of the catalogue into a family of samples."""

    def collect(self) -> Iterator[Metric]:
        for metric in declared(catalogue):
            if isinstance(metric, Histogram):
                yield _histogram(metric)
            elif isinstance(metric, Counter | Gauge):
                kind = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
                family = kind(metric.name, metric.about, labels=label_names(metric))
                for values, number in metric.sums():
                    family.add_metric(values, number)
                yield family


def _histogram(metric: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.about, labels=label_names(metric))
    ends = [*(str(float(end)) for end in metric.buckets), "+Inf"]
    for values, found in metric.distributions():
        below, buckets = 0, list[tuple[str, float]]()
        for end, count in zip(ends, found.counts, strict=True):
            below += count
            buckets.append((end, below))
        family.add_metric(values, buckets, found.total)
    return family


_registry = CollectorRegistry()
_registry.register(_Catalogue())
ProcessCollector(registry=_registry)


def encode_metrics(accept: str) -> tuple[bytes, str]:
    """All metrics, and the media type, of the formats that `accept` names the best one."""
    encode, media_type = choose_encoder(accept)
    return encode(_registry), media_type
