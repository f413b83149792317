"""The keys of tenants that protect payloads, from the environment, a file or a command: see docs/protection.md."""

from __future__ import annotations

import shlex
import subprocess
from base64 import b64decode
from typing import TYPE_CHECKING, Any, cast

import orjson

from eventstore.keyring import ANY_TENANT, NO_KEYS, Keyring, TenantKey, use_keyring
from flexrun.secrets import MAX_FILE_BYTES, SecretRefused
from schemas.redaction import know_secrets
from schemas.tenant import is_tenant_name

if TYPE_CHECKING:
    from flexrun.settings import Settings

COMMAND_SECONDS = 30.0
"""How long the command may take that prints the keys."""

KEY_BYTES = 32
MAX_ID_CHARS = 100

_NAME = "FLEXRUN_PAYLOAD_KEYS"
_COMMAND = "FLEXRUN_PAYLOAD_KEYS_COMMAND"


def use_payload_keys(settings: Settings) -> None:
    """Protect and open runs with the keys of these settings from now on. Raises SecretRefused."""
    use_keyring(keyring_of(settings))


def keyring_of(settings: Settings) -> Keyring:
    """The keys of these settings; none where there are none. Raises SecretRefused."""
    text = settings.payload_keys.get_secret_value() if settings.payload_keys else None
    if settings.payload_keys_command is not None:
        if text is not None:
            raise SecretRefused(f"{_NAME} and {_COMMAND} are both set; keep one of them")
        return read_keyring(_printed(settings.payload_keys_command), _COMMAND)
    return read_keyring(text, _NAME) if text is not None else NO_KEYS


def read_keyring(text: str | bytes, name: str) -> Keyring:
    """The keys of `{tenant: {id: base64 of 32 bytes, …}, …}`, the first of each wraps. Raises SecretRefused."""
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SecretRefused(f"{name} is not JSON: {_FORM}") from None
    if not isinstance(document, dict) or not document:
        raise SecretRefused(f"{name} has no keys: {_FORM}")
    tenants = cast("dict[str, Any]", document)
    ids: dict[str, bytes] = {}
    return Keyring({tenant: _keys_of(tenant, keys, ids, name) for tenant, keys in tenants.items()})


_FORM = 'it is {"*": {"2026-11": "…"}}, each key 32 bytes in base64 (openssl rand -base64 32)'


def _keys_of(tenant: str, keys: Any, ids: dict[str, bytes], name: str) -> list[TenantKey]:
    if tenant != ANY_TENANT and not is_tenant_name(tenant):
        raise SecretRefused(f"{name}: {tenant[:80]!r} is no name of a tenant")
    if not isinstance(keys, dict) or not keys:
        raise SecretRefused(f"{name}: the tenant {tenant!r} has no keys: {_FORM}")
    found: list[TenantKey] = []
    for key_id, text in cast("dict[str, Any]", keys).items():
        if not key_id or len(key_id) > MAX_ID_CHARS or not (key_id.isascii() and key_id.isprintable()):
            raise SecretRefused(f"{name}: an id of a key is 1 to {MAX_ID_CHARS} printable ASCII characters")
        key = _key(text, key_id, name)
        if ids.setdefault(key_id, key) != key:
            raise SecretRefused(f"{name}: two keys have the id {key_id!r}")
        found.append(TenantKey(key_id, key))
    return found


def _key(text: Any, key_id: str, name: str) -> bytes:
    try:
        key = b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretRefused(f"{name}: the key {key_id!r} is not {KEY_BYTES} bytes in base64")
    know_secrets(text)
    return key


def _printed(command: str) -> bytes:
    """What the command prints. Its standard error goes where ours goes. Raises SecretRefused."""
    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False)
    except (OSError, ValueError, IndexError) as error:
        raise SecretRefused(f"{_COMMAND} cannot be run: {error}") from None
    except subprocess.TimeoutExpired:
        raise SecretRefused(f"{_COMMAND} took more than {COMMAND_SECONDS:g} s") from None
    if done.returncode != 0:
        raise SecretRefused(f"{_COMMAND} ended with status {done.returncode}")
    if len(done.stdout) > MAX_FILE_BYTES:
        raise SecretRefused(f"{_COMMAND} printed more than {MAX_FILE_BYTES} bytes")
    return done.stdout
