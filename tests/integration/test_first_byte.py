"""A request begins with its first byte: how long its client was silent before is not its time (manual 8.4, `%TR`, `%Ta`)."""

from __future__ import annotations

import asyncio
import re

from tests.integration.harness.proxy import Proxy, server, snapshot
from tests.integration.harness.raw import HOST, RawClient, RawServer, ok

SILENT = 0.5


async def test_silence_before_a_request_is_in_no_timer() -> None:
    async with RawServer(ok) as up, Proxy(snapshot([server('s1', up.port)])) as proxy:
        client = await RawClient.to(proxy.port)
        for _ in range(2):
            await asyncio.sleep(SILENT)  # what must not be counted
            client.send(b'GET /x HTTP/1.1\r\n' + HOST + b'\r\n')
            assert (await client.answer())[0] == 200
            (line,) = await proxy.log_lines()
            found = re.search(r' (\d+)/\d+/\d+/\d+/(\d+) 200 ', line)
            assert found is not None, line
            assert max(int(found[1]), int(found[2])) < SILENT * 1_000
        client.close()
