"""The command line, the start and the end of a data plane, as init scripts and people see them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from dataplane.core import plane
from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import Stage, listen, stage
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until

PROGRAM = 'dataplane.supervisor.main'


async def run(on: Stage, *arguments: str) -> tuple[int, str]:
    """Run the program to its end: exit status and what it printed."""
    child = await spawn(python(PROGRAM, *arguments), name='once', directory=on.directory)
    try:
        status = await child.wait(60)
    finally:
        await child.stop()
    text = child.printed.read_text()
    child.printed.unlink()
    return status, text


def config(on: Stage, text: str, name: str = 'x.cfg') -> str:
    path = on.directory / name
    path.write_text(text)
    return str(path)


HEAD = 'global\n    nbthread 2\ndefaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 1s\n'


async def test_version_usage_and_condition() -> None:
    async with stage() as on:
        assert (await run(on, '-v'))[1].startswith('Sluice version ')
        said = (await run(on, '-vv'))[1]
        assert 'uvloop' in said
        assert f'Request path: {"Python" if plane.__file__.endswith(".py") else "compiled"}\n' in said
        status, text = await run(on)
        assert status == 1
        assert 'Usage' in text
        status, text = await run(on, '--no-such')
        assert status == 1
        assert 'unknown option --no-such' in text
        assert (await run(on, '-cc', 'version_atleast(0)'))[0] == 0
        assert (await run(on, '-cc', 'streq(a,b)'))[0] == 1


async def test_a_condition_of_the_command_line_is_read_as_one_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SLUICE_SEEN', 'it is')
    async with stage() as on:
        assert (await run(on, '-cc', 'streq("$SLUICE_SEEN","it is")'))[0] == 0
        assert (await run(on, '-cc', """streq('$SLUICE_SEEN',"it is")"""))[0] == 1
        for senseless in ('streq(a,"a)', '200rrr', '!(0))', '1 # 0'):
            status, text = await run(on, '-cc', senseless)
            assert status == 2
            assert 'Failed to evaluate condition' in text


async def test_check_tells_every_error_with_file_and_line() -> None:
    async with stage() as on:
        good = config(on, HEAD + 'frontend f\n    bind 127.0.0.1:1\n    default_backend b\nbackend b\n')
        status, text = await run(on, '-c', '-sf', '123', '456', '-f', good)
        assert status == 0
        assert 'Configuration file is valid' in text
        assert 'SIGUSR2' in text
        assert 'Warnings were found.' not in text
        warned = config(
            on, 'global\n    tune.maxpollevents 100\n' + HEAD + 'frontend f\n    bind 127.0.0.1:1\n', 'warned.cfg'
        )
        status, text = await run(on, '-c', '-f', warned)
        assert status == 0
        assert 'Warnings were found.\nConfiguration file is valid\n' in text
        assert 'Warnings' not in (await run(on, '-q', '-c', '-f', warned))[1]
        bad = config(on, 'global\n    no-such-word 1\nfrontend f\n    neither-this\n', 'bad.cfg')
        status, text = await run(on, '-c', '-f', bad)
        assert status == 1
        assert 'bad.cfg:2]' in text
        assert 'bad.cfg:4]' in text
        assert text.count('Error(s) found in configuration file : ') == 1
        assert text.rstrip().endswith('config : Fatal errors found in configuration.')
        assert '[ALERT]' in text
        status, text = await run(on, '-c', '-f', '/no/such/file')
        assert status == 1
        assert '/no/such/file' in text


async def test_a_check_tells_of_state_files_that_a_start_could_not_use() -> None:
    async with stage() as on:
        (on.directory / 'cut').write_text('1\n2 be 1 a\n')
        body = (
            f'    load-server-state-from-file local\nglobal\n    server-state-base {on.directory}\nlisten be\n    bind 127.0.0.1:1\n    server a 127.0.0.1:1\n'
            'backend other\n    server-state-file-name cut\n    server a 127.0.0.1:1\n'
            'backend none\n    load-server-state-from-file none\n    server a 127.0.0.1:1\n'
            'backend unset\n    load-server-state-from-file global\n'
        )
        path = config(on, HEAD + body)
        status, text = await run(on, '-c', '-f', path)
        assert status == 0
        assert f"config : Can't open server state file '{on.directory}/be': No such file or directory." in text
        assert f'config : [{on.directory}/cut:2] : corrupted server state file: 4 fields of 25.' in text
        assert "Unfortunately, 'server-state-file' is not set!" in text
        assert text.count('[WARNING]') == 3
        assert 'Warnings were found.\nConfiguration file is valid\n' in text
        assert (await run(on, '-c', '-q', '-f', path)) == (0, '')
        assert (await run(on, '-c', '-dW', '-f', path))[0] == 1


async def test_diagnostic_mode_tells_what_diag_lines_say() -> None:
    async with stage() as on:
        path = config(on, HEAD + '.diag "look here"\nfrontend f\n    bind 127.0.0.1:1\n')
        assert 'look here' not in (await run(on, '-c', '-f', path))[1]
        status, text = await run(on, '-c', '-dD', '-f', path)
        assert status == 0
        assert '[DIAG]     (' in text
        assert "x.cfg:8] : 'look here'." in text


async def test_nothing_to_listen_on_is_no_error_but_not_started() -> None:
    async with stage() as on:
        path = config(on, HEAD + 'backend b\n')
        status, text = await run(on, '-c', '-f', path)
        assert status == 2
        assert 'Configuration file has no error but will not start (no listener) => exit(2).\n' in text
        assert await run(on, '-c', '-q', '-f', path) == (2, '')
        status, text = await run(on, '-f', path)
        assert status == 1
        assert "No enabled listener found (check for 'bind' directives) ! Exiting." in text


async def test_a_port_in_use_is_named_and_nothing_is_left() -> None:
    async with stage() as on:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(('127.0.0.1', 0))
            other.listen()
            port = other.getsockname()[1]
            path = config(on, HEAD + f'frontend f\n    bind 127.0.0.1:{port}\n')
            status, text = await run(on, '-f', path, '-p', str(on.directory / 'pid'))
        assert status == 1
        assert f'Binding [{path}:9] for frontend f' in text
        assert 'Address already in use' in text
        assert f'127.0.0.1:{port}' in text
        assert not (on.directory / 'pid').exists()


async def test_a_stats_socket_that_cannot_be_opened_is_named() -> None:
    async with stage() as on:
        port = on.ports.take()
        head = HEAD.replace('nbthread 2', 'nbthread 1\n    stats socket /no/such/dir/s.sock')
        status, text = await run(on, '-f', config(on, head + f'frontend f\n    bind 127.0.0.1:{port}\n'))
        assert status == 1
        assert '/no/such/dir/s.sock' in text


async def test_daemon_writes_its_pid_file_and_ends_on_sigterm() -> None:
    async with stage() as on:
        port = on.ports.take()
        server = await on.upstream('u')
        pidfile = on.directory / 'pid'
        path = config(on, HEAD + listen(port, f'u 127.0.0.1:{server.port}'))
        status, text = await run(on, '-D', '-f', path, '-p', str(pidfile))
        assert status == 0, text
        pid = int(pidfile.read_text())
        try:
            await until(lambda: _answers(port), within=60, what='the daemon serves')
        finally:
            os.kill(pid, signal.SIGTERM)
        await until(lambda: not pidfile.exists(), within=60, what='the daemon has ended')


async def test_what_is_signalled_as_soon_as_there_is_a_pid_file_is_done_later() -> None:
    async with stage() as on:
        port = on.ports.take()
        server = await on.upstream('u')
        pidfile = on.directory / 'pid'
        path = config(on, HEAD + listen(port, f'u 127.0.0.1:{server.port}'))
        child = await spawn(python(PROGRAM, '-f', path, '-p', str(pidfile)), name='early', directory=on.directory)
        try:
            await until(lambda: pidfile.exists() and pidfile.read_text() != '', within=60, what='there is a pid file')
            for number in (signal.SIGUSR2, signal.SIGHUP):
                child.signal(number)
            await until(lambda: _answers(port), within=60, what='it serves')
            await until(lambda: 'reload' in child.printed.read_text().lower(), within=60, what='it has reloaded')
            child.signal(signal.SIGUSR1)
            assert await child.wait(60) == 0
        finally:
            await child.stop()


async def test_a_daemon_that_cannot_start_says_why_and_leaves_nothing_behind() -> None:
    async with stage() as on:
        port, pidfile = on.ports.take(), on.directory / 'pid'
        head = HEAD.replace('nbthread 2', 'nbthread 1\n    stats socket /no/such/dir/s.sock')
        status, text = await run(on, '-D', '-f', config(on, head + listen(port, 'u 127.0.0.1:9')), '-p', str(pidfile))
        assert status == 1
        assert '/no/such/dir/s.sock' in text
        await until(lambda: not pidfile.exists(), within=10, what='it has ended')
        status, text = await run(
            on, '-D', '-f', config(on, HEAD + listen(port, 'u 127.0.0.1:9')), '-p', '/no/such/dir/pid'
        )
        assert status == 1
        assert 'Cannot create pidfile /no/such/dir/pid' in text
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection('127.0.0.1', port)


async def _answers(port: int) -> bool:
    try:
        return (await ask(port, within=2)).status == 200
    except (OSError, TimeoutError):
        return False


async def test_everything_ends_with_a_killed_supervisor() -> None:
    async with stage() as on:
        port = on.ports.take()
        server = await on.upstream('u')
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        workers = plane.worker_pids()
        await plane.kill()
        await until(lambda: not any(_exists(pid) for pid in workers), within=60, what='the workers have ended')


def _exists(pid: int) -> bool:
    try:
        return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_soft_stop_finishes_what_runs() -> None:
    async with stage() as on:
        port = on.ports.take()
        server = await on.upstream('u')
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        server.hold()
        asked = [asyncio.create_task(ask(port)) for _ in range(8)]
        await until(lambda: len(server.busy) == 8, within=60, what='the requests are in the server')
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        await until(lambda: _refused(port), within=60, what='no more connections are accepted')
        assert plane.child.returncode is None
        server.let_go()
        assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 8
        assert await plane.child.wait(60) == 0


async def _refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection('127.0.0.1', port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_hard_stop_after_ends_a_soft_stop() -> None:
    async with stage() as on:
        port = on.ports.take()
        server = await on.upstream('u')
        plane = await on.data_plane(
            listen(port, f'u 127.0.0.1:{server.port}'), port=port, extra=('hard-stop-after 300ms',)
        )
        server.hold()
        asked = asyncio.create_task(ask(port))
        await until(lambda: server.busy, within=60, what='the request is in the server')
        child: Child | None = plane.child
        assert child is not None
        child.signal(signal.SIGUSR1)
        assert await child.wait(60) == 0
        await asyncio.gather(asked, return_exceptions=True)


async def test_an_abstract_socket_serves() -> None:
    async with stage() as on:
        server, port = await on.upstream('u'), on.ports.take()
        text = listen(port, f'u 127.0.0.1:{server.port}')
        name = f'sluice-start-{os.getpid()}'
        await on.data_plane(text.replace('    bind', f'    bind abns@{name}\n    bind'), port=port)
        reader, writer = await asyncio.open_unix_connection('\0' + name.ljust(107, '\0'))
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        assert (await reader.read()).startswith(b'HTTP/1.1 200 ')
        writer.close()


async def test_a_soft_stop_ends_although_a_worker_stands_still() -> None:
    async with stage() as on:
        server, port = await on.upstream('u'), on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        os.kill(plane.worker_pids()[1], signal.SIGSTOP)
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        assert await plane.child.wait(60) == 0


async def test_a_syslog_that_does_not_read_holds_no_request_up() -> None:
    async with stage() as on:
        server, port = await on.upstream('u'), on.ports.take()
        path = on.directory / 'log'
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(str(path))
            text = listen(port, f'u 127.0.0.1:{server.port}') + '    option httplog\n    log global\n'
            plane = await on.data_plane(text, port=port, extra=(f'log {path} local0',))
            async with Load(port, 8) as load:
                await until(lambda: len(load.records) > 2_000, within=60, what='far more lines than the socket takes')
            assert not load.failed()
            info = dict(line.split(': ', 1) for line in (await plane.cli('show info')).splitlines() if ': ' in line)
            assert int(info['DroppedLogs']) > 1_000
            assert plane.child is not None
            plane.child.signal(signal.SIGUSR1)
            assert await plane.child.wait(60) == 0
