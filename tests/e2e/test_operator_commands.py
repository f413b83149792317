"""The operator's commands as processes: what they print for people, and with `--json` in the documented shape."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.support.cli import run
from tests.support.followers import API
from tests.support.processes import Site
from tests.support.remote import registered, remote_node
from tests.support.shapes import printed
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring


async def test_workers_names_the_processes_of_a_site(shared_site: Site) -> None:
    url = shared_site.urls[0]

    async def there() -> list[str]:
        listed = printed(await run("workers", "--json", "--url", url), "WorkerList")["workers"]
        # The site is that of all tests of a file, whose remote workers are known for a while.
        listed = [each for each in listed if each["role"] != "worker"]
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


async def _claimed(http: aiohttp.ClientSession, url: str, worker: str) -> dict[str, Any]:
    body = {"workerId": worker, "capabilities": [{"id": "acme.sum"}], "slots": 1, "waitSeconds": 20}
    async with http.post(f"{url}{API}/work/claim", json=body) as answer:
        (task,) = (await answer.json())["tasks"]
    return task


async def test_work_that_a_worker_holds_is_found_and_given_to_another(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    url = shared_site.urls[0]
    async with StoreWiring(shared_site.setting.database_url) as wiring:
        await registered(wiring.store)
        run_id = await wiring.submit(remote_node("a"))
    name = f"{run_id}:node:a"
    assert (await _claimed(http, url, "hangs"))["runId"] == run_id
    listed = printed(await run("work", "list", "--run", run_id, "--json", "--url", url), "WorkList")
    assert [(each["workId"], each["worker"]) for each in listed["work"]] == [(name, "remote/hangs")]
    done = await run("work", "list", "--worker", "remote/hangs", "--url", url)
    assert "running" in done.out.splitlines()[1]
    shown = printed(await run("work", "show", name, "--json", "--url", url), "WorkDetail")
    assert [each["worker"] for each in shown["servers"] if each["hasIt"]] == ["remote/hangs"]
    assert "could take it" not in (await run("work", "show", name, "--url", url)).out

    held = ("work", "release", "--worker", "remote/hangs", "--url", url)
    planned = printed(await run(*held, "--dry-run", "--json"), "OperationReport")
    assert (planned["dryRun"], [each["id"] for each in planned["items"]]) == (True, [name])
    report = printed(await run(*held, "--yes", "--reason", "it hangs", "--json"), "OperationReport")
    assert (report["done"], report["refused"]) == (1, 0)
    assert (await _claimed(http, url, "works"))["attempt"] == 2
    again = await run("work", "release", name, f"{run_id}:node:zz", "--yes", "--url", url)
    assert again.status == 1, again.err
    assert "release: 1, 1 refused" in again.out
    nothing = await run("work", "release", "--url", url)
    assert (nothing.status, "Which work?" in nothing.err) == (2, True)
