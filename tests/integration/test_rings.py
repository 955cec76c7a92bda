"""`log ring@NAME` through real workers: kept by the supervisor, shown, sent on, and living on in a reload."""

from __future__ import annotations

import asyncio
import signal

from tests.integration.harness.load import ask
from tests.integration.harness.planes import listen, stage
from tests.integration.harness.waiting import until


async def test_lines_of_all_workers_are_kept_and_sent_on() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        heard = b''

        async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal heard
            while data := await reader.read(4_096):
                heard += data
            writer.close()

        collector = await asyncio.start_server(collect, '127.0.0.1', 0)
        to = collector.sockets[0].getsockname()[1]
        ring = f'ring mine\n    description "my lines"\n    format raw\n    server c 127.0.0.1:{to}\n'
        logs = '    option httplog\n    log ring@mine local0\n'
        text = listen(port, f'u 127.0.0.1:{server.port}') + logs
        async with collector:
            plane = await on.data_plane(ring + text, port=port)
            for number in range(20):
                assert (await ask(port, target=f'/{number}')).status == 200

            async def all_kept() -> bool:
                return (await plane.cli('show events mine')).count('"GET /') == 20

            await until(all_kept, within=60, what='all lines are kept')
            await until(
                lambda: heard.count(b'"GET /') == 20 and heard.endswith(b'\n'), within=60, what='all are sent on'
            )
            assert '    mine       : type=buffer, 0 dropped, my lines' in await plane.cli('show events')
            plane.sections = ring.replace('my lines', 'other words') + text
            plane.write()
            assert plane.child is not None
            plane.child.signal(signal.SIGUSR2)
            await until(lambda: 'Reloaded' in plane.printed(), within=60, what='it is reloaded')
            assert 'other words' in await plane.cli('show events')
            assert (await plane.cli('show events mine')).count('"GET /') == 20
            assert (await ask(port, target='/last')).status == 200
            await until(lambda: b'"GET /last ' in heard, within=60, what='the connection is still there')
