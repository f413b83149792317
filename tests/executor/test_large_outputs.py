"""An output of the largest size does not block the loop on its way into the log, and a larger one is refused."""

from typing import Any

import orjson
import pytest

from executor.outputs import OutputRefused, keep
from schemas.json_text import MAX_OUTPUT_BYTES, MAX_VALUES
from tests.support.capabilities import returns
from tests.support.given import node
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.wiring import ExecutorWiring

LARGE: dict[str, Any] = {
    "nulls": [None] * (MAX_VALUES - 10),
    "numbers": [0.5] * (MAX_VALUES - 10),
    "empty objects": [{} for _ in range(MAX_VALUES - 10)],
    "long texts": ["x" * 4_000 for _ in range(1_000)],
    "escapes": ["\\u0000" * 100 for _ in range(5_000)],
    "long numbers": [1_000_000_000_000_000_000] * (MAX_VALUES - 10),
}


@pytest.mark.parametrize("name", LARGE)
async def test_a_large_output_is_kept_without_holding_the_loop(name: str) -> None:
    with loop_time() as loop:
        kept = await keep(LARGE[name], MAX_OUTPUT_BYTES)
    assert kept == LARGE[name]
    assert loop.longest_seconds < MOST_SECONDS, loop.longest


@pytest.mark.parametrize("output", [[None] * 600_000, [[]] * 600_000, "x" * MAX_OUTPUT_BYTES])
async def test_too_large_an_output_is_refused_without_holding_the_loop(output: Any) -> None:
    with loop_time() as loop, pytest.raises(OutputRefused) as refused:
        await keep(output, MAX_OUTPUT_BYTES)
    assert refused.value.code == "output_too_large"
    assert loop.longest_seconds < MOST_SECONDS, loop.longest


async def test_a_number_that_is_not_finite_is_found_in_a_large_output() -> None:
    output = [None] * (MAX_VALUES - 10) + [float("nan")]
    with loop_time() as loop, pytest.raises(OutputRefused, match="not a finite number"):
        await keep(output, MAX_OUTPUT_BYTES)
    assert loop.longest_seconds < MOST_SECONDS, loop.longest
    assert orjson.loads(orjson.dumps(output))[-1] is None


@pytest.mark.parametrize("name", ["pairs", "long texts"])
async def test_a_run_with_a_large_output_is_completed_without_holding_the_loop(
    database_url: str, name: str
) -> None:
    output: Any = [[0.5, None]] * 16_000 if name == "pairs" else ["x" * 4_000] * 950
    async with ExecutorWiring(database_url, [returns("test.echo", output)]) as executor:
        with loop_time() as loop:
            run_id = await executor.submit(node("a", capabilityId="test.echo"))
            state = await executor.ended(run_id, 30)
    assert state.status == "completed"
    assert state.output == output
    assert loop.longest_seconds < MOST_SECONDS, loop.longest
