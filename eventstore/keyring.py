"""The keys of tenants, which protect the keys of their runs (envelope encryption).

A protected run has a key of its own, as one that can be erased has (`eventstore.sealing`). The database has that key
only in wrapped form (AES Key Wrap, RFC 3394) under a key of the run's tenant, which comes from outside the database: so
neither the database nor a backup of it shows a payload. Of several keys of a tenant the first one wraps new keys, and
the others open what was wrapped before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from eventstore.errors import StoreUnavailable

ANY_TENANT = "*"
"""The keys of tenants that have none of their own."""

_FORM = 1
_PLAIN_BYTES = 32


class PayloadKeyMissing(StoreUnavailable):
    """The key that wraps a run's key is not known to this process, or is another one under the same id.

    Whoever meets it waits, as where the database is away: another process may have the key, and this one may get it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.args = (reason,)


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A key of 256 bits and the id by which the database names it: ASCII, 100 characters at most."""

    key_id: str
    key: bytes


class Keyring:
    """The keys of each tenant, the one for new runs in front."""

    def __init__(self, tenants: Mapping[str, Sequence[TenantKey]]) -> None:
        self._tenants = tenants
        self._by_id = {each.key_id: each for keys in tenants.values() for each in keys}

    def __bool__(self) -> bool:
        """Whether there is any key: without one, no run is protected."""
        return bool(self._by_id)

    def key_of(self, tenant: str) -> TenantKey:
        """The key that wraps those of new runs. Raises PayloadKeyMissing."""
        keys = self._tenants.get(tenant) or self._tenants.get(ANY_TENANT)
        if not keys:
            raise PayloadKeyMissing(f"there is no payload key for the tenant {tenant!r}")
        return keys[0]

    def wrap(self, tenant: str, key: bytes) -> bytes:
        """The key of a run as the database has it. Raises PayloadKeyMissing."""
        with_key = self.key_of(tenant)
        name = with_key.key_id.encode()
        return bytes((_FORM, len(name))) + name + aes_key_wrap(with_key.key, key)

    def unwrap(self, stored: bytes) -> bytes:
        """The key of a run. Raises PayloadKeyMissing."""
        key_id = wrapped_by(stored)
        if key_id is None:
            return stored
        known = self._by_id.get(key_id)
        if known is None:
            raise PayloadKeyMissing(f"the payload key {key_id!r} is not known to this process")
        try:
            return aes_key_unwrap(known.key, stored[2 + stored[1] :])
        except (InvalidUnwrap, ValueError):
            raise PayloadKeyMissing(f"the payload key {key_id!r} is another one here") from None


NO_KEYS = Keyring({})

_process: list[Keyring] = [NO_KEYS]


def use_keyring(keyring: Keyring) -> None:
    """From now on runs that this process starts are protected by these keys, and those of others are opened by them."""
    _process[0] = keyring


def keyring() -> Keyring:
    """The keys of this process."""
    return _process[0]


def wrapped_by(stored: bytes) -> str | None:
    """The id of the key that wraps a run's key; None for one that is stored as it is."""
    if len(stored) == _PLAIN_BYTES:
        return None
    return stored[2 : 2 + stored[1]].decode("ascii", "replace")
