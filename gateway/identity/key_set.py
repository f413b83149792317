"""The keys that an issuer publishes (RFC 7517), as far as they can be used here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK, PyJWTError

from schemas.json_types import JsonObject

MAX_KEYS = 100
MAX_KEY_ID_CHARS = 200
MIN_RSA_BITS, MAX_RSA_BITS = 2_048, 8_192
"""A shorter key can be broken; a longer one would make each token expensive."""

_BY_TYPE: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}
"""What a key can have signed, by its type and curve. A shared secret (`oct`) is not here."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """One public key. `thumbprint` is the same for the same key under any id."""

    key_id: str | None
    thumbprint: bytes
    algorithms: frozenset[str]
    key: Any = field(repr=False, compare=False)


class KeySet:
    """The usable keys of one document."""

    def __init__(self, keys: Collection[IssuerKey] = ()) -> None:
        self._keys = tuple(keys)
        self._thumbprints = frozenset(each.thumbprint for each in keys)

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, thumbprint: bytes) -> bool:
        """Whether a key is among these."""
        return thumbprint in self._thumbprints

    def find(self, key_id: str | None, algorithm: str) -> IssuerKey | None:
        """The key of this id for this algorithm; for a token without an id, the only one that it can be."""
        fitting = [each for each in self._keys if algorithm in each.algorithms]
        if key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((each for each in fitting if each.key_id == key_id), None)


def read_key_set(document: JsonObject, allowed: Collection[str]) -> KeySet:
    """The keys of a JWKS document that can be used with the `allowed` algorithms; others are passed over."""
    listed: Any = document.get("keys")
    entries = cast("list[Any]", listed)[:MAX_KEYS] if isinstance(listed, list) else []
    return KeySet([key for entry in entries for key in _read(entry, frozenset(allowed))])


def _read(entry: Any, allowed: frozenset[str]) -> Iterator[IssuerKey]:
    if not isinstance(entry, dict):
        return
    jwk = cast("JsonObject", entry)
    kind, curve, key_id, use = jwk.get("kty"), jwk.get("crv"), jwk.get("kid"), jwk.get("use", "sig")
    if not isinstance(kind, str) or use != "sig" or not _is_key_id(key_id):
        return
    named = jwk.get("alg")
    algorithms = allowed & frozenset(_BY_TYPE.get((kind, curve if kind != "RSA" else None), ()))
    if named is not None:
        algorithms &= {named}
    if not algorithms:
        return
    try:
        public = PyJWK(jwk, min(algorithms)).key
        if isinstance(public, RSAPublicKey) and not MIN_RSA_BITS <= public.key_size <= MAX_RSA_BITS:
            return
        der: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (PyJWTError, ValueError, TypeError, AttributeError):
        return
    yield IssuerKey(key_id, sha256(der).digest(), algorithms, public)


def _is_key_id(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= MAX_KEY_ID_CHARS)
