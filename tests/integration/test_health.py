"""Checks, observed traffic and marks with real processes: clients, workers, servers that come and go."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from tests.integration.harness.cli import Cli
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until
from tests.unit.health.servers import OK, Server, refusing, serving

BUSY = b'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'


class Site:
    """A data plane of two workers, unless said otherwise, in front of the servers of one backend."""

    def __init__(self, directory: Path, workers: int = 2) -> None:
        self.directory, self.workers = directory, workers
        self.port = refusing()
        self.cli = Cli(directory / 'sock')
        self.child: Child | None = None

    async def start(self, stack: AsyncExitStack, servers: str, lines: str = '') -> None:
        file = self.directory / 'sluice.cfg'
        file.write_text(
            f'global\n nbthread {self.workers}\n stats socket {self.directory}/sock level admin\n log stdout format raw local0\n'
            'defaults\n mode http\n timeout client 10s\n timeout connect 1s\n timeout server 10s\n timeout queue 5s\n'
            ' retries 0\n log global\n option httplog\n default-server inter 300 rise 1 fall 2\n'
            f'listen px\n bind 127.0.0.1:{self.port}\n {lines}\n{servers}'
        )
        argv = python('dataplane.supervisor.main', '-f', str(file))
        self.child = await spawn(argv, name='sluice', directory=self.directory)
        stack.push_async_callback(self.child.stop)
        await until(self.cli.ready, within=30, what='the stats socket answers', every=0.05)

    async def get(self, path: str = '/') -> int:
        """The status of a request, 0 where the connection was cut."""
        reader, writer = await asyncio.open_connection('127.0.0.1', self.port)
        try:
            writer.write(f'GET {path} HTTP/1.0\r\n\r\n'.encode())
            async with asyncio.timeout(20):
                head = await reader.read()
            return int(head.split()[1]) if head else 0
        finally:
            writer.close()

    async def status(self, server: str) -> str:
        return (await self.cli.stat())['px', server]['status']

    async def is_up(self, server: str) -> bool:
        return (await self.status(server)) == 'UP'

    async def is_down(self, server: str) -> bool:
        return (await self.status(server)).startswith('DOWN')

    def log(self) -> str:
        assert self.child is not None
        return self.child.printed.read_text()


async def test_traffic_goes_where_checks_pass(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(serving()) for _ in range(2)]
        site = Site(tmp_path)
        servers = f' server s1 127.0.0.1:{one.port} check\n server s2 127.0.0.1:{two.port} check\n'
        await site.start(stack, servers, 'option httpchk HEAD /alive\n balance roundrobin')
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up', every=0.05)
        one.says = BUSY
        await until(lambda: site.is_down('s1'), within=30, what='s1 is down', every=0.05)
        one.says = b'HTTP/1.1 418 Nobody\r\nContent-Length: 0\r\n\r\n'
        assert {await site.get() for _ in range(8)} == {200}
        two.says = BUSY
        await until(lambda: site.is_down('s2'), within=30, what='s2 is down', every=0.05)
        assert await site.get() == 503
        assert 'proxy px has no server available!' in site.log()
        one.says = OK
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up again', every=0.05)
        assert await site.get() == 200


async def test_who_waits_for_a_server_that_goes_down_is_served_elsewhere_or_refused(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        slow, checked = [await stack.enter_async_context(serving()) for _ in range(2)]
        slow.hangs = True
        site = Site(tmp_path)
        await site.start(
            stack, f' server s1 127.0.0.1:{slow.port} maxconn 1 check port {checked.port}\n', 'option httpchk'
        )
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up', every=0.05)
        requests = [asyncio.create_task(site.get()) for _ in range(4)]
        await until(lambda: _queued(site, 3), within=30, what='three wait', every=0.05)
        checked.says = BUSY
        await until(lambda: site.is_down('s1'), within=30, what='s1 is down', every=0.05)
        done, pending = await asyncio.wait(requests, timeout=3)
        assert sorted(task.result() for task in done) == [503, 503, 503]
        slow.hang_up()  # the one that was being served is not touched by the check, only by its server
        assert [await task for task in pending] == [502]


async def test_on_marked_down_ends_what_is_being_served(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        slow, checked = [await stack.enter_async_context(serving()) for _ in range(2)]
        slow.hangs = True
        site = Site(tmp_path)
        words = f'check port {checked.port} on-marked-down shutdown-sessions'
        await site.start(stack, f' server s1 127.0.0.1:{slow.port} {words}\n', 'option httpchk')
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up', every=0.05)
        request = asyncio.create_task(site.get())
        await until(lambda: _served(site, 's1', 1), within=30, what='it is being served', every=0.05)
        checked.says = BUSY
        assert await request == 502
        await until(lambda: _says(site, ' DH-- '), within=30, what='the log says by whom', every=0.05)


async def test_on_marked_up_ends_what_backups_serve(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one, checked, spare = [await stack.enter_async_context(serving()) for _ in range(3)]
        spare.hangs, checked.says = True, BUSY
        site = Site(tmp_path)
        words = f'check port {checked.port} on-marked-up shutdown-backup-sessions'
        servers = f' server s1 127.0.0.1:{one.port} {words}\n server b1 127.0.0.1:{spare.port} backup\n'
        await site.start(stack, servers, 'option httpchk')
        await until(lambda: site.is_down('s1'), within=30, what='s1 is down', every=0.05)
        request = asyncio.create_task(site.get())
        await until(lambda: _served(site, 'b1', 1), within=30, what='the backup serves', every=0.05)
        checked.says = OK
        assert await request == 502
        await until(lambda: _says(site, ' UH-- '), within=30, what='the log says by whom', every=0.05)


async def test_observed_traffic_takes_a_server_down(tmp_path: Path) -> None:
    """Its checks pass all the time; its answers do not."""
    async with AsyncExitStack() as stack:
        ill, checked, well = [await stack.enter_async_context(serving()) for _ in range(3)]
        ill.says = BUSY
        site = Site(tmp_path)
        words = f'check inter 60s port {checked.port} observe layer7 error-limit 6 on-error mark-down'
        servers = f' server s1 127.0.0.1:{ill.port} {words}\n server s2 127.0.0.1:{well.port} backup\n'
        await site.start(stack, servers)
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up', every=0.05)
        assert [await site.get() for _ in range(5)] == [503] * 5
        assert await site.is_up('s1')
        assert await site.get() == 503
        await until(lambda: site.is_down('s1'), within=30, what='s1 is down', every=0.05)
        assert await site.get() == 200
        line = 'Server px/s1 is DOWN, reason: Health analyze, info: "Detected 6 consecutive errors, last one was: Wrong http response"'
        assert line in site.log()
        assert (await site.cli.stat())['px', 's1']['hanafail'] == '1'


async def test_connections_that_fail_are_observed_and_a_good_one_begins_anew(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        checked = await stack.enter_async_context(serving())
        nobody = refusing()
        # of what two workers saw between two looks of the supervisor nobody can say what was first
        site = Site(tmp_path, workers=1)
        words = f'check inter 60s port {checked.port} observe layer4 error-limit 4 on-error mark-down'
        await site.start(stack, f' server s1 127.0.0.1:{nobody} {words}\n')
        await until(lambda: site.is_up('s1'), within=30, what='s1 is up', every=0.05)
        assert [await site.get() for _ in range(3)] == [503] * 3
        server = Server()
        listening = await asyncio.start_server(server.handle, '127.0.0.1', nobody)
        assert await site.get() == 200
        listening.close()
        assert [await site.get() for _ in range(3)] == [503] * 3
        assert await site.is_up('s1')
        assert await site.get() == 503
        await until(lambda: site.is_down('s1'), within=30, what='s1 is down', every=0.05)


async def test_a_reload_keeps_what_is_known_and_checks_go_on(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving())
        site = Site(tmp_path)
        await site.start(stack, f' server s1 127.0.0.1:{one.port} check\n server s2 127.0.0.1:{refusing()} check\n')
        await until(lambda: site.is_down('s2'), within=30, what='s2 is down', every=0.05)
        file = tmp_path / 'sluice.cfg'
        file.write_text(file.read_text() + f' server s3 127.0.0.1:{refusing()} check\n')
        assert site.child is not None
        site.child.signal(signal.SIGHUP)
        await until(lambda: _known(site, 's3'), within=30, what='s3 is known', every=0.05)
        assert await site.is_up('s1')
        assert await site.is_down('s2')
        await until(lambda: site.is_down('s3'), within=30, what='s3 is down', every=0.05)
        assert site.log().count('Server px/s2 is DOWN') == 2  # on the terminal and in the log, once each


async def _known(site: Site, server: str) -> bool:
    return ('px', server) in await site.cli.stat()


async def _served(site: Site, server: str, wanted: int) -> bool:
    return (await site.cli.conns('px'))[f'px/{server}'].served == wanted


async def _says(site: Site, text: str) -> bool:
    return text in site.log()


async def _queued(site: Site, wanted: int) -> bool:
    stat = await site.cli.stat()
    return int(stat['px', 's1']['qcur']) + int(stat['px', 'BACKEND']['qcur']) == wanted
