from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dataplane.core.model import Level, StatsSocket
from dataplane.supervisor.clisocket import MAX_CONNECTIONS, CannotListen, CliServer
from tests.inprocess import Plane

Talk = Callable[[bytes], 'asyncio.Future[str]']


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.fixture
async def server(plane: Plane, tmp_path: Path) -> AsyncIterator[CliServer]:
    made = CliServer(
        plane.verbs(), settings=lambda: plane.ledger.tables.snapshot.globals, uptime=plane.figures.uptime_s
    )
    await made.start(
        (
            StatsSocket(path=str(tmp_path / 's'), mode=0o600, level=Level.ADMIN),
            StatsSocket(host='127.0.0.1', level=Level.USER),
        )
    )
    yield made
    await made.close()


async def ask(path: Path, data: bytes) -> str:
    """Send, close our side, read to the end."""
    reader, writer = await asyncio.open_unix_connection(str(path / 's'))
    writer.write(data)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer.decode(errors='replace')


@pytest.mark.usefixtures('server')
class TestTalk:
    async def test_one_line_and_close(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'show version\nshow version\n') == '1.2.3\n\n'

    async def test_a_line_without_its_end(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'show version') == '1.2.3\n\n'

    async def test_nothing(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'') == ''

    async def test_several_commands(self, tmp_path: Path) -> None:
        line = b'disable server px/s1;get weight px/s1 ; echo a\\;b\r\n'
        assert await ask(tmp_path, line) == '\n10 (initial 10)\n\na;b\n\n'

    async def test_a_line_of_many_commands_lets_others_in_between(self, tmp_path: Path) -> None:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        answer = await ask(tmp_path, b'echo a;' * 1_000 + b'echo b\n')
        turning.cancel()
        assert answer == 'a\n\n' * 1_000 + 'b\n\n'
        assert turns > 1_000

    async def test_prompt(self, tmp_path: Path) -> None:
        lines = b'prompt\nshow version;show version\nquit\nshow version\n'
        assert await ask(tmp_path, lines) == '\n> 1.2.3\n\n1.2.3\n\n> '

    async def test_interactive(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'prompt i\nshow version\nshow version\n') == '\n1.2.3\n\n1.2.3\n\n'

    async def test_timed_prompt(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'prompt timed\n') == '\n[0:00:00:10]> '

    async def test_payload(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'prompt\necho x <<\nfoo\nbar\n\nquit\n') == '\n> + + + x\n\n> '

    async def test_payload_cut_off(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'echo x <<\nfoo\n') == ''

    async def test_quit_at_once(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'quit;show version\n') == ''

    async def test_an_empty_line_in_a_conversation(self, tmp_path: Path) -> None:
        assert "\n> Unknown command: ''. Please enter" in await ask(tmp_path, b'prompt\n\n')

    async def test_severity(self, tmp_path: Path) -> None:
        line = b'set severity-output number;set weight px/foo 3;get weight px/s1;show cli level\n'
        assert await ask(tmp_path, line) == '\n[3]: No such server.\n\n10 (initial 10)\n\n[6]: admin\n\n'

    async def test_a_line_too_long(self, tmp_path: Path) -> None:
        answer = await ask(tmp_path, b'show env ' + b'x' * 300_000 + b'\nshow version\n')
        assert answer.startswith('The command line is too big for the buffer size.')
        assert answer.endswith('\n\n')

    async def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        assert (await ask(tmp_path, b'\xff\xfe\n')).startswith('Unknown command:')

    async def test_an_answer_waits_for_the_client_to_read(self, tmp_path: Path) -> None:
        answers = await ask(tmp_path, b'prompt i\n' + b'show stat typed;show info\n' * 200)
        assert answers.count('Name: Sluice') == 200

    async def test_a_client_that_leaves_ends_its_wait(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'wait 1h\n') == 'Interrupted.\n\n'

    async def test_more_input_keeps_a_wait_going(self, tmp_path: Path) -> None:
        assert await ask(tmp_path, b'wait 20ms;show version\n') == 'Done.\n\n1.2.3\n\n'


async def test_the_reproducers_line(server: CliServer, plane: Plane, tmp_path: Path) -> None:
    line = (
        b'disable server px/s1;shutdown sessions server px/s1;wait 100ms srv-removable px/s1;show servers conn px;'
        b'enable server px/s1\n'
    )
    answer = await ask(tmp_path, line)
    assert answer.startswith('\n\nDone.\n\n# bkname/svname bkid/svid addr port - purge_delay served ')
    assert answer.endswith('px/s3 3/3 127.0.0.1 18474 - 5000 0 0 0 0 0 0 0 -1 0 0 0\n\n\n')


async def test_levels_are_the_sockets(server: CliServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(b'show cli level;disable server px/s1\n')
    assert await reader.read() == b'user\n\nPermission denied\n\n'
    writer.close()
    sockets = await ask(tmp_path, b'show cli sockets\n')
    assert f'unix@{tmp_path}/s admin all\n' in sockets


async def test_the_path_has_its_mode_and_goes_away(plane: Plane, tmp_path: Path) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    path = tmp_path / 's'
    path.write_text('what was there before is replaced')
    await made.start((StatsSocket(path=str(path), mode=0o640),))
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    await made.close()
    assert not path.exists()
    assert os.listdir(tmp_path) == []


async def test_a_successors_path_is_left_alone(plane: Plane, tmp_path: Path) -> None:
    first, second = (
        CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0) for _ in range(2)
    )
    wanted = (StatsSocket(path=str(tmp_path / 's')),)
    await first.start(wanted)
    os.unlink(tmp_path / 's')
    await second.start(wanted)
    await first.close()
    assert await ask(tmp_path, b'show version\n') == '1.2.3\n\n'
    os.unlink(tmp_path / 's')
    await second.close()


async def test_an_address_in_use_is_named(plane: Plane, tmp_path: Path) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = tmp_path / 's'
        with pytest.raises(
            CannotListen, match=rf'cannot bind socket \(Address already in use\) \[ipv4@127.0.0.1:{port}\]'
        ):
            await made.start((StatsSocket(path=str(path)), StatsSocket(host='127.0.0.1', port=port)))
    assert not path.exists()


async def test_a_path_that_is_listened_on_is_named_and_left_alone(
    server: CliServer, plane: Plane, tmp_path: Path
) -> None:
    second = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with pytest.raises(CannotListen, match=rf'cannot bind socket \(Address already in use\) \[unix@{tmp_path}/s\]'):
        await second.start((StatsSocket(path=str(tmp_path / 's')),))
    assert await ask(tmp_path, b'show version\n') == '1.2.3\n\n'


async def test_a_directory_that_is_not_there_is_named(plane: Plane, tmp_path: Path) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with pytest.raises(CannotListen, match='No such file or directory'):
        await made.start((StatsSocket(path=str(tmp_path / 'no' / 's')),))


async def test_a_silent_client_is_sent_away(server: CliServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / 's'))
    writer.write(b'prompt i;set timeout cli 20ms\n')
    assert await asyncio.wait_for(reader.read(), 30) == b'\n\n'
    writer.close()


async def test_closing_ends_conversations(plane: Plane, tmp_path: Path) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    await made.start((StatsSocket(path=str(tmp_path / 's'), level=Level.ADMIN),))
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / 's'))
    writer.write(b'prompt\n')
    assert await reader.readuntil(b'> ')
    await made.close()
    assert await asyncio.wait_for(reader.read(), 30) == b''
    writer.close()


async def test_a_client_that_resets_harms_nobody(server: CliServer, tmp_path: Path) -> None:
    with socket.create_connection(server.addresses[0]) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        client.sendall(b'show stat;show stat')
    assert await ask(tmp_path, b'show version\n') == '1.2.3\n\n'


async def test_a_client_that_does_not_read_is_dropped(server: CliServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / 's'), limit=1)
    writer.write(b'prompt i;set timeout cli 50ms\n' + b'show stat typed;show stat typed\n' * 200)
    assert await reader.read(1) == b'\n'
    _, running = await asyncio.wait(server._tasks, timeout=30)
    assert not running
    writer.close()


async def test_connections_are_bounded(server: CliServer, tmp_path: Path) -> None:
    path = str(tmp_path / 's')
    talking = [await asyncio.open_unix_connection(path) for _ in range(MAX_CONNECTIONS)]
    for reader, writer in talking:
        writer.write(b'prompt\n')
        assert await reader.readuntil(b'> ')
    reader, writer = await asyncio.open_unix_connection(path)
    assert await asyncio.wait_for(reader.read(), 30) == b''
    writer.close()
    for _, writer in talking:
        writer.close()


async def test_a_socket_that_was_inherited_has_its_own_name_and_stays_open(plane: Plane) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with socket.socket() as given:
        given.bind(('127.0.0.1', 0))
        given.listen()
        host, port = given.getsockname()
        await made.start((StatsSocket(fd=given.fileno(), level=Level.ADMIN),))
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b'show cli sockets\n')
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await made.close()
        assert answer == f'# socket lvl processes\nipv4@{host}:{port} admin all\n\n'.encode()
        assert given.getsockname() == (host, port)


async def test_a_unix_socket_may_be_inherited_too_and_keeps_its_path(plane: Plane, tmp_path: Path) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(tmp_path / 's'))
        await made.start((StatsSocket(fd=given.fileno()),))
        answer = await ask(tmp_path, b'show cli sockets\n')
        await made.close()
    assert answer == f'# socket lvl processes\nunix@{tmp_path}/s operator all\n\n'
    assert (tmp_path / 's').exists()


async def test_a_descriptor_that_is_no_stream_socket_is_named(plane: Plane) -> None:
    made = CliServer(plane.verbs(), settings=lambda: plane.snapshot.globals, uptime=lambda: 0)
    with socket.socket(type=socket.SOCK_DGRAM) as given, pytest.raises(CannotListen, match=rf'\[fd@{given.fileno()}\]'):
        await made.start((StatsSocket(fd=given.fileno()),))
