"""An outage is a few lines: the first failure, further ones at doubling gaps, and the end."""

from structlog.testing import capture_logs

from eventstore.outage import Outage


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_is_said_at_doubling_gaps_and_so_is_its_end() -> None:
    time = _Time()
    outage = Outage("database", monotonic=time)
    with capture_logs() as lines:
        for _ in range(240):  # two loops, four times a second, for a minute
            outage.failed("keeper", "refused")
            outage.failed("listener", "refused")
            time.now += 0.25
        assert [line["away_seconds"] for line in lines] == [0, 1, 3, 7, 15, 31]
        outage.worked("keeper")
        assert lines[-1]["event"] == "database_away", "the listener still fails"
        assert outage.seconds is not None
        outage.worked("listener")
        outage.worked("listener")
    assert lines[-1]["event"] == "database_back"
    assert lines[-1]["message"] == "back after 60 s"
    assert [line["event"] for line in lines].count("database_back") == 1
    assert outage.seconds is None


def test_the_next_outage_begins_with_a_line_at_once() -> None:
    time = _Time()
    outage = Outage("broker", monotonic=time)
    with capture_logs() as lines:
        for _ in range(2):
            outage.failed("link", "refused")
            time.now += 41
            outage.worked("link")
    assert [line["event"] for line in lines] == ["broker_away", "broker_back"] * 2
    assert lines[1]["message"] == "back after 41 s"


def test_a_part_that_works_on_demand_does_not_keep_an_outage_open() -> None:
    time = _Time()
    outage = Outage("database", monotonic=time)
    with capture_logs() as lines:
        outage.failed("writer", "refused", on_demand=True)
        outage.failed("keeper", "refused")
        outage.worked("keeper")
        assert outage.seconds is not None, "the writer failed a moment ago"
        time.now += 11
        outage.worked("keeper")
    assert [line["event"] for line in lines] == ["database_away", "database_back"]


def test_a_long_reason_is_cut_and_holds_no_secret() -> None:
    with capture_logs() as lines:
        Outage("database").failed("keeper", "postgresql://ann:secret-word@db " + "x" * 10_000)
    assert "secret-word" not in lines[0]["reason"]
    assert len(lines[0]["reason"]) == 300
