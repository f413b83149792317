"""The pause of a loop that tries again."""

from __future__ import annotations

from eventstore.pause import DoublingPause


async def test_it_doubles_to_its_longest_and_begins_again() -> None:
    pause = DoublingPause(0.001, 0.005)
    waits = [pause.seconds]
    for _ in range(4):
        await pause.wait()
        waits.append(pause.seconds)
    pause.reset()
    assert waits == [0.001, 0.002, 0.004, 0.005, 0.005]
    assert pause.seconds == 0.001
