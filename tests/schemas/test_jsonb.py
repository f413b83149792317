"""Whatever the door lets in, Postgres keeps and gives back unchanged."""

import json

import orjson
import psycopg
from hypothesis import HealthCheck, given, settings

from schemas.envelope import parse_envelope
from tests.schemas.strategies import GOOD_ENVELOPES

EXTREMES = [
    2**64 - 1,
    -(2**63),
    1.7976931348623157e308,
    5e-324,
    1e22,
    0.1,
    1e5,
    -0.0,
    "\u0001\uffff\U0010ffff",
    "",
]


def doubles(document: object) -> object:
    """All numbers as doubles: Postgres writes 4.260592990222575e16 out as the integer that it looks like."""
    return json.loads(orjson.dumps(document), parse_int=float)


def test_every_envelope_let_in_comes_back_from_jsonb_as_it_was_sent(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:

        def stored(document: object) -> object:
            row = connection.execute("select (%s::jsonb)::text", [orjson.dumps(document).decode()]).fetchone()
            assert row is not None
            return orjson.loads(row[0])

        @settings(
            deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )
        @given(GOOD_ENVELOPES)
        def comes_back(document: dict[str, object]) -> None:
            kept = stored(parse_envelope(orjson.dumps(document)).to_wire())
            assert doubles(kept) == doubles(document)

        comes_back()
        assert stored(EXTREMES) == EXTREMES
