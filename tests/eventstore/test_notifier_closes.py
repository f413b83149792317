"""A process stops gracefully, also when its database connection has just been lost."""

import psycopg
import pytest

from eventstore.notifier import Notifier
from eventstore.store import EventStore
from tests.eventstore.conftest import StartRun
from tests.support.waiting import eventually

_CUT = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and application_name = 'flexrun notifier'
  and query ilike '%pg_notify%' and state = 'idle'
"""


async def test_a_notifier_whose_connection_was_lost_before_its_last_word_still_closes(
    database_url: str, store: EventStore, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventstore.notifier.QUIET_SECONDS", 60)
    notifier = Notifier(store)
    await notifier.start()
    await start_run()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as operator:

        async def cut() -> bool:
            return bool(await (await operator.execute(_CUT)).fetchall())

        await eventually(cut)
    await start_run()
    await notifier.close()
