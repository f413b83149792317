"""What attempts report that they used is summed in the run, whatever they end with."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runs import commands as c
from runs.evolve import fold_all
from runs.fork import ForkChange, retry_commands
from runs.state import new_run
from runs.usage import NOTHING_USED, UsedTogether, add_usage
from schemas.parsing import validate_document
from schemas.usage import MAX_COUNT, RunUsage
from tests.support.given import NOON, RUN_ID, Given, at, node

counts = st.none() | st.integers(0, MAX_COUNT)
reports = st.fixed_dictionaries(
    {},
    optional={
        "inputTokens": counts,
        "outputTokens": counts,
        "costMicros": counts,
        "currency": st.sampled_from([None, "EUR", "USD"]),
        "seconds": st.none() | st.floats(0, 1e6),
        "model": st.just("m"),
        "calls": st.just([1]),
    },
)


def test_every_end_of_an_attempt_counts() -> None:
    run = Given().started().planned(node("a", contract={"maxAttempts": 4}))
    about: dict[str, Any] = {"node_id": "a"}
    run = run.when(c.StartNode(now=NOON, attempt=1, **about))
    failed = {"inputTokens": 5, "costMicros": 7, "currency": "EUR", "seconds": 0.5}
    run = run.when(
        c.FailNode(now=NOON, attempt=1, error_code="x", message="x", retryable=True, usage=failed, **about)
    )
    run = run.when(c.StartNode(now=at(100), attempt=2, **about))
    wrong = ({"instancePath": "", "keyword": "type", "message": "no", "params": {}, "schemaPath": "#"},)
    run = run.when(
        c.CompleteNode(
            now=at(100),
            attempt=2,
            output=1,
            duration_ms=1,
            errors=wrong,
            usage={"costMicros": 1, "currency": "USD"},
            **about,
        )
    )
    assert run.new[-1].type == "node_error"
    assert run.new[-1].payload["usage"] == {"costMicros": 1, "currency": "USD"}
    run = run.when(c.StartNode(now=at(200), attempt=3, **about))
    run = run.when(
        c.RequestClarification(now=at(200), attempt=3, question="?", usage={"inputTokens": 2}, **about)
    )
    assert run.state.usage == UsedTogether(3, 7, 0, 0.5, {"EUR": 7, "USD": 1})


def test_attempts_that_say_nothing_do_not_count() -> None:
    run = Given().started().planned(node("a")).when(c.StartNode(now=NOON, node_id="a", attempt=1))
    run = run.when(c.CompleteNode(now=NOON, node_id="a", attempt=1, output=1, duration_ms=1))
    assert run.state.usage is NOTHING_USED
    assert run.state.usage.to_wire() is None


def test_a_retried_run_carries_only_what_it_spends_itself() -> None:
    original = Given().started().planned(node("a"), node("b", "a", contract={"fallback": "abort"}))
    for command in (
        c.StartNode(now=NOON, node_id="a", attempt=1),
        c.CompleteNode(now=NOON, node_id="a", attempt=1, output=1, duration_ms=1, usage={"inputTokens": 4}),
        c.StartNode(now=NOON, node_id="b", attempt=1),
        c.FailNode(
            now=NOON,
            node_id="b",
            attempt=1,
            error_code="x",
            message="x",
            retryable=False,
            usage={"outputTokens": 1},
        ),
    ):
        original = original.when(command)
    assert original.state.status == "failed"
    assert (original.state.usage.input_tokens, original.state.usage.output_tokens) == (4, 1)
    change = ForkChange(operator="ann")
    retried = Given().when(*retry_commands(original.state, change, NOON))
    assert retried.state.nodes["a"].status == "completed"
    assert retried.state.usage is NOTHING_USED
    retried = retried.when(c.StartNode(now=NOON, node_id="b", attempt=1))
    retried = retried.when(
        c.CompleteNode(now=NOON, node_id="b", attempt=1, output=1, duration_ms=1, usage={"outputTokens": 2})
    )
    assert retried.state.usage == UsedTogether(1, 0, 2)
    assert fold_all(new_run(RUN_ID), retried.log) == retried.state


@given(st.lists(reports, max_size=8))
def test_whatever_is_reported_adds_up_and_is_what_the_schema_promises(reported: list[dict[str, Any]]) -> None:
    total = NOTHING_USED
    for usage in reported:
        total = add_usage(total, usage)
    if not reported:
        assert total.to_wire() is None
        return
    document = total.to_wire()
    validate_document(RunUsage, document)
    assert document is not None
    assert document["attempts"] == len(reported)
    assert document["inputTokens"] == min(MAX_COUNT, sum(each.get("inputTokens") or 0 for each in reported))
    money: dict[str, int] = {}
    for each in reported:
        currency = each.get("currency") or "XXX"
        money[currency] = min(MAX_COUNT, money.get(currency, 0) + (each.get("costMicros") or 0))
    assert document["costMicros"] == {currency: micros for currency, micros in money.items() if micros}
