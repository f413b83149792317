"""What a capability says about itself when it registers."""

from typing import Any

import pytest

from schemas.capability import WORKER_QUEUE_PREFIX, CapabilityDescriptor, version_order
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused

DESCRIPTOR = {"id": "stub.linkedin.brief", "version": "1", "label": "Brief", "kind": "structuring"}


def test_a_descriptor_needs_little_and_keeps_what_it_does_not_know() -> None:
    parsed = validate_document(CapabilityDescriptor, DESCRIPTOR | {"costPerCall": 3})
    assert parsed.registered() == DESCRIPTOR | {
        "agentType": "ai",
        "facetsIn": [],
        "facetsOut": [],
        "queue": "default",
        "description": "",
        "idempotent": True,
        "tags": [],
        "metadata": {},
        "home": {"type": "python"},
        "costPerCall": 3,
    }


def test_work_of_a_worker_goes_to_a_queue_of_its_own() -> None:
    homes = [DESCRIPTOR | {"id": name, "home": {"type": "worker"}} for name in ("a", "A", "a" * 200)]
    queues = [validate_document(CapabilityDescriptor, each).registered()["queue"] for each in homes]
    assert len(set(queues)) == 3
    assert all(queue.startswith(WORKER_QUEUE_PREFIX) and len(queue) <= 60 for queue in queues)


def test_versions_are_sorted_as_semantic_versions() -> None:
    in_order = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1 1.0.1 1.2 2 10"
    )
    backwards = in_order.split()[::-1]
    assert sorted(backwards, key=version_order) == in_order.split()


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ({"id": "a b"}, "bad_format", "/id"),
        ({"kind": "wizardry"}, "not_allowed", "/kind"),
        ({"agentType": "robot"}, "not_allowed", "/agentType"),
        ({"facetsIn": "post_copy"}, "wrong_type", "/facetsIn"),
        ({"facetsOut": [1]}, "wrong_type", "/facetsOut/0"),
        ({"facetsOut": ["a", "a"]}, "repeated", "/facetsOut/1"),
        ({"facetsIn": ["a", {"name": "a"}]}, "repeated", "/facetsIn/1"),
        ({"version": "one"}, "bad_format", "/version"),
        ({"home": {"type": "human"}}, "contradiction", "/home"),
        ({"home": {"type": "http"}}, "missing", "/home/url"),
        ({"home": {"type": "mcp", "tool": "t"}}, "missing", "/home/command"),
        (
            {"home": {"type": "model", "model": "m", "baseUrl": "http://m", "prompt": "p", "apiKey": "sk-1"}},
            "bad_format",
            "/home/apiKey",
        ),
        ({"home": {"type": "htpp", "url": "http://x"}}, "not_allowed", "/home/type"),
        ({"home": {"url": "http://x"}}, "missing", "/home/type"),
        ({"home": "http"}, "wrong_type", "/home"),
        ({"home": {"type": "http", "url": "http://x", "secrets": "s"}}, "unknown_key", "/home/secrets"),
        ({"facetsIn": [3]}, "wrong_type", "/facetsIn/0"),
        ({"facetsIn": ["a", ""]}, "too_short", "/facetsIn/1"),
        ({"facetsIn": [{"name": "a", "optional": True}]}, "unknown_key", "/facetsIn/0/optional"),
        ({"limits": {"maxConcurrent": 0}}, "out_of_range", "/limits/maxConcurrent"),
        ({"timeoutSeconds": 0}, "out_of_range", "/timeoutSeconds"),
        ({"queue": "Has.Dots"}, "bad_format", "/queue"),
        ({"outputSchema": "{}"}, "wrong_type", "/outputSchema"),
        ({"output_schema": {}}, "unknown_key", "/output_schema"),
    ],
)
def test_a_descriptor_of_the_wrong_shape_is_refused(keys: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        validate_document(CapabilityDescriptor, DESCRIPTOR | keys)
    assert [(problem.code, problem.pointer) for problem in caught.value.problems] == [(code, place)]
