"""Stick tables over real sockets and processes: exact over workers, right after deaths, kept by a reload."""

from __future__ import annotations

import asyncio
import os
import re
import signal

from tests.integration.harness.load import ask
from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.waiting import until

TRACKED = """    stick-table type ip size 100 expire 1m store conn_cnt,conn_cur,http_req_cnt,http_req_rate(1m),gpc0
    tcp-request connection track-sc1 src table sessions
    http-request track-sc0 src
    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 60 }
"""
SESSIONS = """backend sessions
    stick-table type ip size 100 store conn_cur
"""


def sections(port: int, servers: str, lines: str = TRACKED) -> str:
    first, _, rest = listen(port, servers).partition('\n')
    return f'{first}\n{lines}{rest}\n{SESSIONS}'


async def figure(plane: DataPlane, table: str, name: str) -> int:
    """A figure of the only entry of a table; -1 where there is none."""
    shown = await plane.cli(f'show table {table}')
    found = re.search(rf' {re.escape(name)}=(\d+)', shown)
    return int(found[1]) if found else -1


async def reload(plane: DataPlane) -> str:
    plane.write()
    said = len(plane.printed())
    assert plane.child is not None
    plane.child.signal(signal.SIGUSR2)
    return await until(
        lambda: text if 'Reload' in (text := plane.printed()[said:]) else '', within=60, what='the reload is over'
    )


async def test_a_rate_limit_counts_what_all_workers_see() -> None:
    """Of many requests at once, spread over four workers, none passes that may not.

    A request is counted first and asks then: of those that do so at the same time, one per worker, all see the last one's figure.
    """
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(sections(port, f'u 127.0.0.1:{server.port}'), port=port, workers=4)
        before = await figure(plane, 'px', 'http_req_cnt')
        answers = [answer.status for answer in await asyncio.gather(*(ask(port) for _ in range(100)))]
        assert 60 - max(before, 0) - 3 <= answers.count(200) <= 60 - max(before, 0)
        assert answers.count(200) + answers.count(429) == 100
        assert await figure(plane, 'px', 'http_req_cnt') == 100 + max(before, 0)
        await until(lambda: _is(plane, 'px', 'conn_cur', 0), within=60, what='nothing is tracked any more')
        await until(lambda: _is(plane, 'sessions', 'conn_cur', 0), within=60, what='no session is tracked any more')


async def _is(plane: DataPlane, table: str, name: str, value: int) -> bool:
    return await figure(plane, table, name) == value


async def test_what_a_killed_worker_tracked_is_tracked_no_more() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(sections(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        idle = [await asyncio.open_connection('127.0.0.1', port) for _ in range(20)]
        await until(lambda: _is(plane, 'sessions', 'use', 20), within=60, what='all sessions are tracked')
        victim, *_ = plane.worker_pids()
        os.kill(victim, signal.SIGKILL)
        # its connections end, the others stay as they are

        def living() -> int:
            return sum(not reader.at_eof() and reader.exception() is None for reader, _ in idle)

        await until(lambda: living() < 20, within=60, what='the connections of the dead end')

        async def only_the_living() -> bool:
            return await figure(plane, 'sessions', 'use') == await figure(plane, 'sessions', 'conn_cur') == living()

        await until(only_the_living, within=60, what='only the living track')
        assert living()
        for _, writer in idle:
            writer.close()
        await until(lambda: _is(plane, 'sessions', 'use', 0), within=60, what='nobody is left')


async def test_a_reload_keeps_a_table_that_stays_the_same() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(sections(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        for _ in range(5):
            assert (await ask(port)).status == 200
        counted = await figure(plane, 'px', 'http_req_cnt')
        assert counted >= 5
        # something that workers have to adopt, but not this table
        plane.sections = sections(
            port, f'u 127.0.0.1:{server.port}', TRACKED + '    http-request set-header X-New yes\n'
        )
        assert 'Reloaded' in await reload(plane)
        assert (await ask(port)).status == 200
        assert await figure(plane, 'px', 'http_req_cnt') == counted + 1
        plane.sections = sections(port, f'u 127.0.0.1:{server.port}', TRACKED.replace('size 100', 'size 200'))
        assert 'Reloaded' in await reload(plane)
        assert (await ask(port)).status == 200
        assert await figure(plane, 'px', 'http_req_cnt') == 1


async def test_a_client_that_sticks_stays_where_it_is_when_servers_are_added_and_when_numbers_change() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        lines = '    balance roundrobin\n    stick-table type ip size 100\n    stick on src\n'
        both = f'one 127.0.0.1:{one.port} id 7\ntwo 127.0.0.1:{two.port} id 8'
        plane = await on.data_plane(sections(port, both, lines), port=port, workers=2)
        for _ in range(6):
            assert (await ask(port)).status == 200
        used = 7 if one.arrivals else 8
        assert bool(one.arrivals) is not bool(two.arrivals)
        assert await figure(plane, 'px', 'server_id') == used
        third = await on.upstream('three')
        plane.sections = sections(port, f'{both}\nthree 127.0.0.1:{third.port} id 9', lines)
        assert 'Reloaded' in await reload(plane)
        assert await figure(plane, 'px', 'server_id') == used
        plane.sections = sections(
            port, both.replace('id 7', 'id 6').replace('id 8', 'id 7').replace('id 6', 'id 8'), lines
        )
        assert 'Reloaded' in await reload(plane)
        before = len(one.arrivals), len(two.arrivals)
        for _ in range(4):
            assert (await ask(port)).status == 200
        moved = len(one.arrivals) - before[0], len(two.arrivals) - before[1]
        assert moved == ((4, 0) if used == 7 else (0, 4))
        assert await figure(plane, 'px', 'server_id') == 15 - used
