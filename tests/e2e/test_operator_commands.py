"""The operator's commands as processes: what they print for people, and with `--json` in the documented shape."""

from __future__ import annotations

from tests.support.cli import run
from tests.support.processes import Site
from tests.support.shapes import printed
from tests.support.waiting import eventually


async def test_workers_names_the_processes_of_a_site(shared_site: Site) -> None:
    url = shared_site.urls[0]

    async def there() -> list[str]:
        listed = printed(await run("workers", "--json", "--url", url), "WorkerList")["workers"]
        roles = sorted(each["role"] for each in listed)
        assert roles == ["executor", "gateway", "planner"], listed
        assert {each["status"] for each in listed} == {"ok"}
        return roles

    await eventually(there)
    done = await run("workers", "--role", "planner", "--url", url)
    header, line = done.out.splitlines()
    assert header.split()[:3] == ["worker", "role", "status"]
    assert line.split()[1:3] == ["planner", "ok"]
    refused = await run("workers", "--role", "cook", "--url", url)
    assert (refused.status, "there are gateway, planner" in refused.err) == (2, True)
