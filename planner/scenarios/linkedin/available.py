"""A sentence that says what a contract may ask for."""

from __future__ import annotations

from planner.mapping.names import canonical
from planner.scenarios.linkedin.scopes import RunMaterial

_OF_A_VARIANT = (
    "headline, body, callToAction, hashtags, fullText, wordCount, characterCount, variantId, label, position"
)
_OF_A_RUN = "keyMessages, angles, findings, variantCount"
_MAX_NAMES = 20


def available(material: RunMaterial) -> str:
    """What the material has, by our own names; a contract may spell them its own way."""
    facts = material.facts
    known = [*facts.known, *facts.company]
    ours = {canonical(name) for name in (*known, "variantCount")}
    known += [name for name in facts.extras if name not in ours]
    named = ", ".join(name[:40] for name in known[:_MAX_NAMES])
    each = "" if material.only_variant else "for each variant, in an array: "
    return f"Available are {each}{_OF_A_VARIANT}; and for the run: {named}, {_OF_A_RUN}."
