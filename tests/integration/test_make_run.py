"""`make run` as a newcomer meets it: it comes up, the three commands it prints work, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness.ports import Ports

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / 'deploy' / 'demo' / 'run.py'
LAST_LINE = 'Ctrl-C ends all of it.'


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Free ports, in a directory of its own where `run/` goes as it does for anybody; the REST port marks its processes."""
    with Ports() as ports:
        yield {
            **os.environ,
            'PYTHONUNBUFFERED': '1',
            'SLUICE_PROXY_PORT': str(ports.take()),
            'SLUICE_STATS_PORT': str(ports.take()),
            'SLUICE_REST_PORT': str(ports.take()),
            'SLUICE_DEMO_PORTS': ','.join(str(ports.take()) for _ in range(3)),
            'PWD': str(tmp_path),
        }


async def start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(DEMO), cwd=environment['PWD'], env=environment, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def banner(demo: asyncio.subprocess.Process) -> list[str]:
    """What it prints until it is ready; its complaint when it ends instead."""
    assert demo.stdout
    assert demo.stderr
    lines: list[str] = []
    async with asyncio.timeout(60):
        while not lines or lines[-1] != LAST_LINE:
            line = await demo.stdout.readline()
            assert line, f'it ended: {(await demo.stderr.read()).decode()}'
            lines.append(line.decode().rstrip('\n'))
    return lines


async def shell(command: str, environment: dict[str, str]) -> str:
    """Run a printed command as it stands."""
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=environment['PWD'],
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0, f'{command}: {process.returncode}: {output.decode()}'
    return output.decode()


def marked(environment: dict[str, str]) -> dict[int, str]:
    """Processes whose environment names this demo's REST port, and what they are."""
    mark = f'SLUICE_REST_PORT={environment["SLUICE_REST_PORT"]}\0'
    found = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / 'environ').read_bytes():
                    found[int(entry.name)] = (entry / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            except OSError:
                continue  # it ended while we looked, or is somebody else's
    return found


async def stop(demo: asyncio.subprocess.Process, number: signal.Signals = signal.SIGINT) -> int:
    if demo.returncode is None:
        demo.send_signal(number)
    async with asyncio.timeout(40):
        return await demo.wait()


async def test_it_comes_up_its_commands_work_and_nothing_is_left(environment: dict[str, str]) -> None:
    demo = await start(environment)
    try:
        lines = await banner(demo)
        load, drain, enable = [line.removeprefix('  $ ') for line in lines if line.startswith('  $ ')]
        running = asyncio.create_task(shell(load, environment))
        try:
            assert 's1' in await shell(drain, environment)
            assert '"state":"done"' in (await shell(enable, environment)).replace(' ', '')
        finally:
            seen = await running
        assert seen.rstrip().endswith(' 0 failed'), seen
        assert all(f'{server}=' in seen for server in ('s1', 's2', 's3')), seen
        assert await stop(demo) == 0
        assert marked(environment) == {}
        log = (Path(environment['PWD']) / 'run' / 'dataplane.log').read_text()
        assert ' 200 ' in log
        assert ' 503 ' not in log, 'it was asked before it was ready'
    finally:
        await stop(demo, signal.SIGKILL)


async def test_a_second_start_finds_its_data_and_a_killed_part_ends_the_demo_by_name(
    environment: dict[str, str],
) -> None:
    for attempt in range(2):
        demo = await start(environment)
        try:
            await banner(demo)
            if attempt == 0:
                assert await stop(demo) == 0
                continue
            victim = next(pid for pid, what in marked(environment).items() if 'server.py s2' in what)
            os.kill(victim, signal.SIGKILL)
            async with asyncio.timeout(40):
                assert await demo.wait() == 1
            assert demo.stderr
            assert 's2 ended with status -9' in (await demo.stderr.read()).decode()
            assert marked(environment) == {}
        finally:
            await stop(demo, signal.SIGKILL)


async def test_a_port_in_use_is_named_with_its_variable(environment: dict[str, str]) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, '127.0.0.1', 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        demo = await start({**environment, 'SLUICE_REST_PORT': str(port)})
        async with asyncio.timeout(30):
            _, complaint = await demo.communicate()
    assert demo.returncode == 1
    assert f'127.0.0.1:{port}: Address already in use; choose another with SLUICE_REST_PORT=' in complaint.decode()


async def test_a_second_demo_keeps_out_of_the_directory_of_the_first(environment: dict[str, str]) -> None:
    run_dir = Path(environment['PWD']) / 'run'
    run_dir.mkdir()
    with (run_dir / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        demo = await start(environment)
        async with asyncio.timeout(30):
            _, complaint = await demo.communicate()
    assert demo.returncode == 1
    assert complaint.decode() == 'demo: run: another demo runs in it; choose another with SLUICE_RUN_DIR=...\n'


@pytest.mark.parametrize('ports', ['9001,9002', '9001,9002,x', '0,1,2'])
async def test_ports_that_make_no_sense_are_refused(environment: dict[str, str], ports: str) -> None:
    demo = await start({**environment, 'SLUICE_DEMO_PORTS': ports})
    async with asyncio.timeout(30):
        _, complaint = await demo.communicate()
    assert demo.returncode == 1
    assert 'SLUICE_DEMO_PORTS' in complaint.decode()
