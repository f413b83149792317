"""Capabilities that stand in for real ones: honest, deterministic and named `stub.*`. The engine ships them."""

from __future__ import annotations

from executor.capability import Capability
from executor.stubs.linkedin.capabilities import BriefStub, DraftStub, ReviewStub
from executor.stubs.reshape import ReshapeStub


def stub_capabilities() -> list[Capability]:
    """One of each."""
    return [BriefStub(), DraftStub(), ReviewStub(), ReshapeStub()]
