"""Evaluates the mapping that the planner has written into a node's bundle.

A mapping is an expression (`runs.expression`) over the outputs of the nodes before this one.
"""

from __future__ import annotations

from executor.capability import CapabilityError
from executor.stubs.reading import object_at
from runs.composition import CompositionError
from runs.event import Json, JsonObject
from runs.expression import ExpressionError, evaluate


def reshaped(bundle: JsonObject) -> Json:
    """The mapped output. Raises CapabilityError `mapping_missing`, `mapping_invalid` or `mapping_unresolved`."""
    given = object_at(bundle, "bundle")
    if "mapping" not in given:
        raise CapabilityError("mapping_missing", "the bundle has no mapping", retryable=False)
    try:
        return evaluate(given["mapping"], object_at(bundle, "dependencies"))
    except ExpressionError as error:
        raise CapabilityError("mapping_invalid", str(error), retryable=False) from error
    except CompositionError as error:
        raise CapabilityError("mapping_unresolved", str(error), retryable=False) from error
