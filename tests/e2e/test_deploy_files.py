"""The files in `deploy/` set what flexrun relies on. They are read here, not run: no container engine, no systemd."""

import re
from configparser import ConfigParser

from tests.support.processes import ROOT


def test_the_unit_never_gives_up_but_on_a_wrong_setting() -> None:
    unit = ConfigParser(interpolation=None, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy" / "systemd" / "flexrun@.service")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["RestartPreventExitStatus"] == "2"


def test_the_broker_of_the_compose_file_has_a_name_that_stays() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    service = re.search(r"^  rabbitmq:\n((?:    .*\n)+)", text, re.MULTILINE)
    assert service is not None
    assert "    hostname: rabbitmq\n" in service[1]
    assert 'volumes: ["rabbitmq:/var/lib/rabbitmq"]' in service[1]
    assert "FLEXRUN_HEALTH_PORT" in text
