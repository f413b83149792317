"""Checks of large registrations in a child process of the sandbox: to explain one takes more than 50 ms."""

from __future__ import annotations

from dataclasses import asdict

from registry.descriptors import listed, read_descriptor
from sandbox.errors import InputRefused
from schemas.json_text import load_json
from schemas.refusal import DocumentRefused, FieldProblem


def check(_argument: object, blob: bytes) -> None:
    """Raise InputRefused with `problems` and `omitted` where `blob` is no JSON, or has a descriptor that is none."""
    problems: list[FieldProblem] = []
    omitted = 0
    try:
        entries = listed(load_json(blob))
    except DocumentRefused as refused:
        raise _refusal(refused) from None
    for place, sent in entries:
        try:
            read_descriptor(place, sent)
        except DocumentRefused as refused:
            problems += refused.problems
            omitted += refused.omitted
    if problems:
        raise _refusal(DocumentRefused(problems, omitted))


def _refusal(refused: DocumentRefused) -> InputRefused:
    return InputRefused({"problems": [asdict(each) for each in refused.problems], "omitted": refused.omitted})
