"""The signatures of tokens that count: those whose key can be published."""

from __future__ import annotations

from typing import Literal

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures whose key can be published. One with a shared secret (HS256) is none of them, and `none` is not."""

DEFAULT_ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")
