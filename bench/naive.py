"""The naive aiohttp proxy as a program: `python -m bench.naive ORIGIN_PORT` prints the port it listens on."""

from __future__ import annotations

import asyncio
import sys

from tests.oracle.naive_proxy import NaiveProxy


async def serve(origin: int) -> None:
    async with NaiveProxy(origin) as proxy:
        print(proxy.port, flush=True)
        await asyncio.Event().wait()


if __name__ == '__main__':
    asyncio.run(serve(int(sys.argv[1])))
