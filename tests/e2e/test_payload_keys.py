"""Where payload keys come from, and what is said of keys that are none."""

from __future__ import annotations

import shlex
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest

from eventstore.keyring import PayloadKeyMissing
from flexrun.payload_keys import keyring_of, read_keyring
from flexrun.secrets import SecretRefused
from flexrun.settings import IsolatedSettings
from schemas.redaction import redact
from tests.support.cli import run

KEY = b64encode(bytes(range(32))).decode()
NEXT = b64encode(bytes(range(32, 64))).decode()
RUN_KEY = b"r" * 32


def document(**tenants: Any) -> str:
    return orjson.dumps({name.replace("any", "*"): keys for name, keys in tenants.items()}).decode()


def test_the_first_key_of_a_tenant_wraps_and_all_of_them_open():
    before = read_keyring(document(any={"a": KEY}), "KEYS")
    after = read_keyring(document(any={"b": NEXT, "a": KEY}, acme={"c": KEY}), "KEYS")
    wrapped = before.wrap("default", RUN_KEY)
    assert after.unwrap(wrapped) == RUN_KEY
    assert [after.key_of(tenant).key_id for tenant in ("default", "acme", "other")] == ["b", "c", "b"]
    with pytest.raises(PayloadKeyMissing, match="'c' is not known"):
        before.unwrap(after.wrap("acme", RUN_KEY))


def test_a_tenant_without_keys_starts_nothing():
    with pytest.raises(PayloadKeyMissing, match="no payload key for the tenant 'other'"):
        read_keyring(document(acme={"c": KEY}), "KEYS").wrap("other", RUN_KEY)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("k" * 44, "is not JSON"),
        ("[]", "has no keys"),
        ("{}", "has no keys"),
        (document(any={}), "has no keys"),
        (document(any=KEY), "has no keys"),
        (document(Acme={"a": KEY}), "is no name of a tenant"),
        (document(any={"": KEY}), "an id of a key"),
        (document(any={"a" * 101: KEY}), "an id of a key"),
        (document(any={"ä": KEY}), "an id of a key"),
        (document(any={"a": 5}), "'a' is not 32 bytes"),
        (document(any={"a": KEY[:-4]}), "'a' is not 32 bytes"),
        (document(any={"a": "*" * 44}), "'a' is not 32 bytes"),
        (document(any={"a": KEY}, acme={"a": NEXT}), "two keys have the id 'a'"),
    ],
)
def test_what_are_no_keys_is_refused_without_showing_them(text: str, why: str):
    with pytest.raises(SecretRefused, match=why) as refused:
        read_keyring(text, "FLEXRUN_PAYLOAD_KEYS")
    assert KEY not in str(refused.value)


def test_keys_are_taken_out_of_logs():
    read_keyring(document(any={"a": KEY}), "KEYS")
    assert KEY not in redact(f"the key is {KEY}!")


def command(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_a_command_prints_them(tmp_path: Path):
    file = tmp_path / "keys.json"
    file.write_text(document(any={"a": KEY}))
    settings = IsolatedSettings(payload_keys_command=command(f"print(open({str(file)!r}).read())"))
    assert keyring_of(settings).key_of("default").key_id == "a"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "status 3"),
        ("print('no')", "is not JSON"),
        ("print('x' * 300_000)", "printed more than"),
    ],
)
def test_a_command_that_prints_none_is_named(code: str, why: str):
    with pytest.raises(SecretRefused, match=why):
        keyring_of(IsolatedSettings(payload_keys_command=command(code)))


@pytest.mark.parametrize("text", ["/no/such/command", "'", " x"])
def test_a_command_that_cannot_be_run_is_named(text: str):
    with pytest.raises(SecretRefused, match="PAYLOAD_KEYS_COMMAND"):
        keyring_of(IsolatedSettings(payload_keys_command=text))


async def test_a_server_with_wrong_keys_says_so_and_does_not_start():
    done = await run("up", "--port", "0", settings={"PAYLOAD_KEYS": document(any={"a": "c2hvcnQ="})})
    assert done.status == 2
    assert "FLEXRUN_PAYLOAD_KEYS: the key 'a' is not 32 bytes in base64" in done.err + done.out


async def test_both_sources_at_once_are_refused(tmp_path: Path):
    settings = IsolatedSettings.model_validate(
        {"payload_keys": document(any={"a": KEY}), "payload_keys_command": "true"}
    )
    with pytest.raises(SecretRefused, match="both set"):
        keyring_of(settings)
