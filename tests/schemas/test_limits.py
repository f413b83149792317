"""`FLEXRUN_LIMITS`: what can be written, and that nothing wrong is passed over."""

import pytest

from schemas.limits import LimitsInvalid, parse_limits


def test_limits_are_read() -> None:
    read = parse_limits(" tenant.runsPerMinute=600,actor.openStreams = 50 ,")
    assert dict(read) == {("tenant", "runsPerMinute"): 600, ("actor", "openStreams"): 50}


@pytest.mark.parametrize("text", [None, "", "  ", ","])
def test_nothing_means_no_limits(text: str | None) -> None:
    assert not parse_limits(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("runsPerMinute=600", "is no limit; write"),
        ("tenant.runsPerMinute", "is no limit; write"),
        ("tenant.runsPerMinute=-1", "is no limit; write"),
        ("tenant.runsPerMinute=6e2", "is no limit; write"),
        ("tenant.runsPerMinute=600;actor.openStreams=5", "is no limit; write"),
        ("tenant.runsAMinute=600", "there are tenant.unfinishedRuns"),
        ("actor.webhooks=3", "there is no limit 'actor.webhooks'"),
        ("actor.weight=3", "there is no limit 'actor.weight'"),
        ("tenant.weight=0", "a weight is from 1 to 100"),
        ("tenant.openStreams=1,tenant.openStreams=2", "tenant.openStreams is there twice"),
        ("tenant.bytesPerDay=9999999999999999", "at most"),
    ],
)
def test_what_is_wrong_is_refused_with_what_is_right(text: str, reason: str) -> None:
    with pytest.raises(LimitsInvalid, match=reason):
        parse_limits(text)
