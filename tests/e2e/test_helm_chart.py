"""The chart, linted and rendered by Helm's own engine, and each object checked against the schemas of Kubernetes."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from flexrun.health import HealthServer
from flexrun.secrets import SECRETS
from flexrun.settings import Settings
from runs.outstanding import OUTPUT_QUEUE, PLAN_QUEUE
from telemetry import catalogue
from telemetry.metrics import declared
from tests.support.processes import ROOT

if sys.platform != "linux" or platform.machine() != "x86_64":
    pytest.skip("Helm's engine is in our lock for Linux on x86-64 only", allow_module_level=True)

import helm_python
import kubernetes_validate

CHART = ROOT / "deploy" / "helm" / "flexrun"
KUBERNETES = ("1.27", "1.37")
ROLES = ("gateway", "planner", "executor")
SCALED = {"enabled": True, "min": 2, "max": 9, "dueSeconds": 5}
EVERYTHING: dict[str, Any] = {
    "image": {"digest": f"sha256:{'a' * 64}", "pullSecrets": ["registry"]},
    "secrets": {
        "broker": {"name": "rabbit", "key": "url"},
        "linkSecret": {"name": "links", "key": "secret"},
        "payloadKeys": {"name": "payloads", "key": "keys"},
    },
    "settings": {"LOG_LEVEL": "debug", "LEASE_SECONDS": 20, "ERASABLE": True},
    "migrations": {"appPassword": {"name": "app", "key": "password"}},
    "autoscaling": {"kind": "hpa"},
    "gateway": {
        "stopNoticeSeconds": 20,
        "tls": {"secretName": "flexrun-tls"},
        "ingress": {"enabled": True, "className": "nginx", "host": "flexrun.example", "tlsSecret": "tls"},
        "service": {"annotations": {"a": "b"}},
    },
    "planner": {"autoscaling": {**SCALED, "queue": "plan"}},
    "executor": {
        "autoscaling": {**SCALED, "queue": "node.default"},
        "settings": {"EXECUTOR_SLOTS": 8, "LOAD": "/code/acme.py"},
        "env": [{"name": "ACME_KEY", "valueFrom": {"secretKeyRef": {"name": "acme", "key": "key"}}}],
        "volumes": [{"name": "code", "configMap": {"name": "acme-code"}}],
        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
    },
    "networkPolicy": {
        "gatewayFrom": [{"namespaceSelector": {}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "databaseTo": [{"ipBlock": {"cidr": "10.1.2.3/32"}}],
        "brokerTo": [{"podSelector": {"matchLabels": {"app": "rabbitmq"}}}],
        "alsoTo": [{"ipBlock": {"cidr": "10.9.0.0/16"}}],
    },
    "podAnnotations": {"note": "x"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": EVERYTHING,
    "keda": {**EVERYTHING, "autoscaling": {"kind": "keda", "prometheus": "http://prometheus:9090"}},
    "bare": {"migrations": {"enabled": False}, "networkPolicy": {"enabled": False}},
}


def objects(values: dict[str, Any]) -> list[dict[str, Any]]:
    rendered = helm_python.Chart.load(CHART).render(values, name="trial", namespace="flex")
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def kinds(found: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by the last word of their names."""
    return {each["metadata"]["name"].rpartition("-")[2]: each for each in found if each["kind"] == kind}


def pods(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Deployment", "Job"):
        for name, each in kinds(found, kind).items():
            yield name, each["spec"]["template"]["spec"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_helm_finds_nothing_to_say(variant: str) -> None:
    report = helm_python.lint(CHART, VARIANTS[variant], strict=True)
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["error"] != "icon is recommended"] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_one_of_kubernetes(variant: str, version: str) -> None:
    for each in objects(VARIANTS[variant]):
        if each["kind"] != "ScaledObject":  # KEDA's
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_pod_has_rights(variant: str) -> None:
    for name, pod in pods(objects(VARIANTS[variant])):
        assert pod["automountServiceAccountToken"] is False, name
        whole = pod["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsUser"]) == (True, 10001), name
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"], name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_processes_are_told_by_settings_that_there_are_and_secrets_come_as_files() -> None:
    known = {f"FLEXRUN_{name.upper()}" for name in Settings.model_fields}
    secret = {f"FLEXRUN_{name.upper()}" for name in SECRETS}
    for name, pod in pods(objects(EVERYTHING)):
        (volume,) = (each["projected"] for each in pod["volumes"] if each["name"] == "secrets")
        files = {item["path"] for source in volume["sources"] for item in source["secret"]["items"]}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            for variable in container["env"]:
                if variable["name"] == "ACME_KEY":
                    continue
                assert variable["name"].removesuffix("_FILE") in known, (name, variable)
                assert variable["name"] not in secret, (name, variable)
                if variable["name"].endswith("_FILE"):
                    assert variable["value"].rpartition("/")[2] in files, (name, variable)
    files_of = {name: str(pod["volumes"]) for name, pod in pods(objects(EVERYTHING))}
    assert [name for name, text in files_of.items() if "owner_url" in text] == ["migrate"]
    assert [name for name, text in files_of.items() if "'tokens'" in text] == ["gateway"]
    assert [name for name, text in files_of.items() if "flexrun-tls" in text] == ["gateway"]
    assert {name for name, text in files_of.items() if "payload_keys" in text} == set(ROLES)


def test_probes_ask_what_the_health_port_answers() -> None:
    paths = set(re.findall(r"`(/\w+)`", str(sys.modules[HealthServer.__module__].__doc__)))
    for name, each in kinds(objects({}), "Deployment").items():
        (container,) = each["spec"]["template"]["spec"]["containers"]
        asked = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
        assert [probe["path"] for probe in asked] == ["/healthz", "/readyz"], name
        assert {probe["path"] for probe in asked} <= paths
        assert {probe["port"] for probe in asked} == {"health"}


@pytest.mark.parametrize("variant", ["default", "everything"])
def test_a_pod_is_given_longer_than_its_process_takes_to_stop(variant: str) -> None:
    for name, each in kinds(objects(VARIANTS[variant]), "Deployment").items():
        pod = each["spec"]["template"]["spec"]
        told = {variable["name"]: variable.get("value", "") for variable in pod["containers"][0]["env"]}
        takes = float(told["FLEXRUN_STOP_NOTICE_SECONDS"]) + float(told["FLEXRUN_DRAIN_SECONDS"]) + 10
        assert pod["terminationGracePeriodSeconds"] > takes, name
        assert each["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_workers_follow_a_metric_and_queues_that_there_are() -> None:
    names = {metric.name for metric in declared(catalogue)}
    queues = {PLAN_QUEUE, OUTPUT_QUEUE}
    found = kinds(objects(EVERYTHING), "HorizontalPodAutoscaler")
    assert found.keys() == {"planner", "executor"}
    for each in found.values():
        (metric,) = (one["external"]["metric"] for one in each["spec"]["metrics"])
        assert metric["name"] in names
        assert metric["selector"]["matchLabels"]["queue"] in queues
    for each in kinds(objects(VARIANTS["keda"]), "ScaledObject").values():
        (trigger,) = each["spec"]["triggers"]
        query = trigger["metadata"]["query"]
        promql_parser.parse(query)
        assert re.findall(r"flexrun_\w+", query)[0] in names
    scaled = kinds(objects(EVERYTHING), "Deployment")
    assert [name for name in ROLES if "replicas" in scaled[name]["spec"]] == ["gateway"]


def test_policies_and_budgets_are_about_the_pods_that_there_are() -> None:
    found = objects(EVERYTHING)
    labels = {
        name: each["spec"]["template"]["metadata"]["labels"]
        for name, each in kinds(found, "Deployment").items()
    }
    labels["migrate"] = kinds(found, "Job")["migrate"]["spec"]["template"]["metadata"]["labels"]
    for kind, selector in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        about = kinds(found, kind)
        assert about.keys() >= set(ROLES)
        for name, each in about.items():
            assert each["spec"][selector]["matchLabels"].items() <= labels[name].items()
    (service,) = kinds(found, "Service").values()
    assert service["spec"]["selector"].items() <= labels["gateway"].items()
    policies = kinds(found, "NetworkPolicy")
    assert policies["migrate"]["spec"]["ingress"] == []
    assert "0.0.0.0/0" not in str(policies["planner"])
    assert "0.0.0.0/0" in str(policies["executor"])


def test_the_database_is_migrated_before_anything_is_replaced() -> None:
    job = kinds(objects({}), "Job")["migrate"]
    assert set(job["metadata"]["annotations"]["helm.sh/hook"].split(",")) == {"pre-install", "pre-upgrade"}
    assert [each["args"] for each in job["spec"]["template"]["spec"]["containers"]] == [["db", "migrate"]]
    with_roles = kinds(objects(EVERYTHING), "Job")["migrate"]["spec"]["template"]["spec"]
    assert [each["args"][:2] for each in with_roles["initContainers"]] == [["db", "migrate"]]
    assert [each["args"][:2] for each in with_roles["containers"]] == [["db", "roles"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gatway": {}},
        {"gateway": {"replica": 3}},
        {"settings": {"TOKENS": "secret-token=ops"}},
        {"settings": {"DATABASE_URL": "postgresql://u:p@h/d"}},
        {"settings": {"log_level": "debug"}},
        {"image": {"digest": "sha256:abc"}},
        {"autoscaling": {"kind": "vpa"}},
        {"executor": {"autoscaling": {"enabled": True, "queue": "nodes"}}},
        {"secrets": {"database": {"name": ""}}},
        {"executor": {"env": [{"name": "FLEXRUN_TOKENS", "value": "secret-token=ops"}]}},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    chart = helm_python.Chart.load(CHART)
    chart.validate_schema(chart.merge_values({}))
    with pytest.raises(helm_python.HelmValuesError):
        chart.validate_schema(chart.merge_values(wrong))


def test_an_ingress_without_a_host_is_refused() -> None:
    with pytest.raises(helm_python.HelmRenderError, match="needs the host"):
        objects({"gateway": {"ingress": {"enabled": True}}})


def test_the_chart_is_of_this_release() -> None:
    from flexrun import __version__  # noqa: PLC0415 - only here

    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert metadata["appVersion"] == metadata["version"] == __version__
