"""The stats socket with the tools people use: socat for one line, hatop for a screen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import shutil
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dataplane.core.counters import C
from dataplane.core.model import Level, StatsSocket
from dataplane.supervisor.clisocket import CliServer
from tests.inprocess import Plane

PATIENCE = 20.0


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f'{name} is not installed')
    return path


@pytest.fixture
async def stats_socket(tmp_path: Path) -> AsyncIterator[str]:
    plane = Plane()
    plane.count(plane.layout.server_counters(0, plane.server('px', 's1')), C.STOT, 4242)
    server = CliServer(
        plane.verbs(), settings=lambda: plane.ledger.tables.snapshot.globals, uptime=plane.figures.uptime_s
    )
    path = str(tmp_path / 'sluice.sock')
    await server.start((StatsSocket(path=path, mode=0o600, level=Level.ADMIN),))
    yield path
    await server.close()


async def socat(path: str, text: str) -> str:
    process = await asyncio.create_subprocess_exec(
        tool('socat'), 'stdio', f'unix-connect:{path}', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(text.encode()), PATIENCE)
    assert process.returncode == 0
    return output.decode()


async def test_socat_drains_a_server(stats_socket: str) -> None:
    assert await socat(stats_socket, 'set server px/s1 state drain\n') == '\n'
    assert '3 px 1 s1 127.0.0.1 2 8 10 10 ' in await socat(stats_socket, 'show servers state px\n')
    assert await socat(stats_socket, 'set server px/s1 state ready;get weight px/s1\n') == '\n10 (initial 10)\n\n'


async def test_socat_reads_a_long_dump_to_its_end(stats_socket: str) -> None:
    text = await socat(stats_socket, 'prompt i\n' + 'show stat typed\n' * 50)
    assert text.count('S.3.1.7.stot.1:MCP:u64:4242\n') == 50
    assert text.endswith('\n\n')


async def until(master: int, wanted: bytes) -> bytes:
    """What a terminal shows until `wanted` is on it."""
    loop = asyncio.get_running_loop()
    shown, found = bytearray(), loop.create_future()

    def more() -> None:
        try:
            shown.extend(os.read(master, 65_536))
        except OSError as closed:
            found.set_exception(AssertionError(f'{closed}; it had shown: {bytes(shown)!r}'))
            loop.remove_reader(master)
            return
        if wanted in shown and not found.done():
            found.set_result(None)

    loop.add_reader(master, more)
    try:
        await asyncio.wait_for(found, PATIENCE)
    finally:
        loop.remove_reader(master)
    return bytes(shown)


async def test_hatop_shows_the_servers(stats_socket: str) -> None:
    path = tool('hatop')
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 160, 0, 0))
    process = await asyncio.create_subprocess_exec(
        path, '-s', stats_socket, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, 'TERM': 'xterm'},
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        screen = await until(master, b'MAINT')
        for text in (b'Sluice', b'n1', b'px', b's1', b's2', b's3'):
            assert text in screen
        os.write(master, b'q')
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(master)
