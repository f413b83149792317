"""The rate that a gateway counts for itself: never more than is allowed, and never longer shut than it says."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.rate import Rate

SECONDS = 60.0


def test_all_can_be_taken_at_once_and_then_as_it_comes_back() -> None:
    rate = Rate(SECONDS)
    assert [rate.take(3, 100.0).remaining for _ in range(3)] == [2, 1, 0]
    refused = rate.take(3, 100.0)
    assert (refused.refused, refused.wait_seconds) == (True, 20.0)
    assert rate.take(3, 119.9).refused
    assert not rate.take(3, 120.0).refused
    assert rate.take(3, 120.0).refused


def test_nothing_is_let_through_where_nothing_is_allowed() -> None:
    assert Rate(SECONDS).take(0, 0.0).refused


@given(
    st.integers(1, 50),
    st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=200),
)
def test_no_time_sees_more_than_twice_what_is_allowed_in_it(most: int, gaps: list[float]) -> None:
    """A bucket that was full, and what came back meanwhile."""
    rate, now, taken = Rate(SECONDS), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if not rate.take(most, now).refused:
            taken.append(now)
    for began in taken:
        within = sum(began <= each < began + SECONDS for each in taken)
        assert within <= 2 * most


@given(st.integers(1, 50), st.integers(0, 80), st.floats(0, 1_000, allow_nan=False))
def test_who_waits_as_long_as_is_said_is_let_through(most: int, before: int, began: float) -> None:
    rate = Rate(SECONDS)
    for _ in range(before):
        rate.take(most, began)
    left = rate.take(most, began)
    if left.refused:
        assert 0 < left.wait_seconds <= SECONDS
        assert not rate.take(most, began + left.wait_seconds + 1e-6).refused


def test_a_lower_limit_holds_at_once_and_shuts_nobody_out_for_longer_than_its_time() -> None:
    rate = Rate(SECONDS)
    for _ in range(100):
        assert not rate.take(100, 0.0).refused
    left = rate.take(1, 0.0)
    assert left.refused
    assert left.wait_seconds <= SECONDS
