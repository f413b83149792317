"""The dashboard and the alert rules ask for metrics and labels that exist, and each alert has its page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import orjson
import promql_parser
import pytest
import yaml

from flexrun.metrics.exposition import encode_metrics
from telemetry import catalogue
from telemetry.metrics import Counter, Gauge, Histogram, declared, label_names
from tests.support.processes import ROOT
from tests.support.promtool import promtool

RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "flexrun.json"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
OF_TARGETS = {"instance", "job"}
OF_THE_LIBRARY = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def series() -> dict[str, set[str]]:
    """The name of every series, and the labels that it has."""
    found: dict[str, set[str]] = {name: set() for name in OF_THE_LIBRARY}
    for metric in declared(catalogue):
        labels = set(label_names(metric))
        if isinstance(metric, Histogram):
            found |= {
                f"{metric.name}_count": labels,
                f"{metric.name}_sum": labels,
                f"{metric.name}_bucket": labels | {"le"},
            }
        else:
            found[metric.name] = labels
    return found


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[str, str]]:
    for panel in orjson.loads(DASHBOARD.read_bytes())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def asked(expression: str) -> tuple[set[str], set[str]]:
    """The series and the labels that an expression names. Raises ValueError where it is none."""
    names, labels = set[str](), set[str]()

    def look(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            names.add(str(node.name))
            labels.update(each.name for each in node.matchers.matchers)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            labels.update(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return names, labels


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in alerts()] + list(panels())


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[f"{n}" for n in range(len(EXPRESSIONS))])
def test_each_expression_names_series_and_labels_that_exist(where: str, expression: str) -> None:
    names, labels = asked(expression)
    known = series()
    assert names, where
    assert names <= known.keys(), where
    assert labels <= set.union(OF_TARGETS, *(known[name] for name in names)), where


def test_every_metric_of_the_catalogue_is_on_the_dashboard() -> None:
    shown = set[str]().union(*(asked(expression)[0] for _, expression in panels()))
    for metric in declared(catalogue):
        assert any(name == metric.name or name.startswith(f"{metric.name}_") for name in shown), metric.name


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    sections = re.findall(r"^### (Flexrun\w+)$", RUNBOOK, re.MULTILINE)
    assert sections == [rule["alert"] for rule in alerts()]
    for rule in alerts():
        name = rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")
        section = RUNBOOK.split(f"### {name}\n")[1].split("\n### ")[0]
        for part in ("**Symptom**", "**Look at**", "**Do**"):
            assert part in section, (name, part)


def test_prometheus_itself_takes_the_rules_and_they_fire() -> None:
    tool = promtool()
    if tool is None:
        pytest.skip("promtool is neither on PATH nor to be had from Debian's packages")
    for arguments in (
        ["check", "config", "prometheus.yaml"],
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
    ):
        done = subprocess.run([tool, *arguments], cwd=RULES, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_finds_nothing_to_say_about_the_metrics() -> None:
    tool = promtool()
    if tool is None:
        pytest.skip("promtool is neither on PATH nor to be had from Debian's packages")
    for metric in declared(catalogue):
        values = tuple("x" for _ in metric.labels)
        if isinstance(metric, Counter):
            metric.add(*values)
        elif isinstance(metric, Gauge):
            metric.set(*values, to=1)
        elif isinstance(metric, Histogram):
            metric.observe(*values, number=0.2)
    text, _ = encode_metrics("")
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
