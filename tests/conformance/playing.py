"""One scenario through one proxy: its lines are carried out in order, and the transcript is what was seen."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import re
import shutil
import signal
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance import proxies
from tests.conformance.clients import Client
from tests.conformance.filters import filtered
from tests.conformance.scenario import Scenario, Step, Wrong, unescape
from tests.conformance.shown import shown_cli, shown_log
from tests.conformance.upstreams import Scripted
from tests.integration.harness.cli import Cli
from tests.integration.harness.ports import Ports
from tests.integration.harness.procs import Child
from tests.integration.harness.waiting import until

_WITHIN = 20.0
_CLIENT = re.compile(r'c\d+')
_OWN = re.compile(r'Proxy \S+ (started|stopped)')
_HOUSE = frozenset(('socket', 'log', 'dir'))


@dataclass
class Played:
    """What was seen; `failure` is why it ended before its last line, `printed` what the proxy said."""

    lines: list[str] = field(default_factory=list)
    failure: str = ''
    printed: str = ''


class Log:
    """The log target: a datagram socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(('127.0.0.1', 0))
        self._socket.setblocking(False)
        self.address = f'127.0.0.1:{self._socket.getsockname()[1]}'

    async def line(self) -> str:
        """The next line; those about the process itself are passed over."""
        loop = asyncio.get_running_loop()
        while True:
            text = (await loop.sock_recv(self._socket, 65_535)).decode('latin-1').rstrip('\n')
            if not _OWN.search(text):
                return text

    def close(self) -> None:
        self._socket.close()


async def play(scenario: Scenario, kind: str) -> Played:
    """Start everything, carry the lines out, end everything."""
    directory = Path(tempfile.mkdtemp(prefix='conform-'))
    played = Played()
    log = Log()
    try:
        async with AsyncExitStack() as stack:
            ports = stack.enter_context(Ports())
            names = (proxies.places(scenario) | set(scenario.upstreams)) - _HOUSE
            taken = {name: ports.take() for name in sorted(names)}
            for name, content in scenario.files.items():
                (directory / name).write_bytes(content)
            upstreams = {
                name: await stack.enter_async_context(Scripted(name, script, taken[name]))
                for name, script in scenario.upstreams.items()
            }
            values = {name: str(port) for name, port in taken.items()}
            values |= {'socket': str(directory / 'cli'), 'log': log.address, 'dir': str(directory)}
            child, cli = await proxies.start(kind, proxies.text_of(scenario, values), directory)
            stack.push_async_callback(child.stop)
            stage = Stage(upstreams, taken, log, child, cli, played.lines)
            stage.directory = directory
            played.failure = await stage.act(scenario)
            for one in upstreams.values():
                played.lines += one.transcript()
            played.printed = child.report()
            played.lines = [_without_ports(line, values) for line in played.lines]
    finally:
        log.close()
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
    return played


def _without_ports(line: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        line = re.sub(rf'(?<!\d){re.escape(value)}(?!\d)', f'{{{name}}}', line)
    return line


class Stage:
    """Everything a line of `[run]` may speak of."""

    def __init__(
        self, upstreams: dict[str, Scripted], ports: dict[str, int], log: Log, child: Child, cli: Cli, out: list[str]
    ) -> None:
        self._upstreams = upstreams
        self._ports = ports
        self._log = log
        self._child = child
        self._cli = cli
        self._out = out
        self.directory = Path()
        self._clients: dict[str, Client] = {}

    async def act(self, scenario: Scenario) -> str:
        """All lines; why it ended before the last one, if it did."""
        failure = ''
        step = scenario.steps[0]
        try:
            async with asyncio.timeout(scenario.seconds):
                for step in scenario.steps:
                    await self._step(step)
        except (AssertionError, OSError) as error:  # TimeoutError is an OSError
            failure = f'line {step.line}, {step.who} {step.text}: {type(error).__name__} {error}'
        for client in self._clients.values():
            await client.close()
        return failure

    async def _step(self, step: Step) -> None:
        who, text = step.who, proxies.filled(step.text, {**self._ports, 'dir': self.directory})
        if _CLIENT.fullmatch(who):
            client = self._clients.setdefault(who, Client(who, self._ports, self._out))
            await client.step(text)
        elif who in self._upstreams:
            await self._upstream(self._upstreams[who], text)
        elif who == 'cli':
            command, _, how = text.partition(' | ')
            self._out.append(f'cli > {command}')
            for line in filtered(await self._cli(command), how):
                self._out.append(f'cli < {shown_cli(line)}')
        elif who == 'cli-raw':
            await self._raw(unescape(text))
        elif who == 'stat':
            name, *columns = text.split()
            row = await self._row(name)
            self._out += [f'stat {name} {column} = {row.get(column, "(no column)")}' for column in columns]
        elif who == 'until':
            await self._until(text)
        elif who == 'log':
            for _ in range(int(text or 1)):
                self._out.append(f'log {shown_log(await self._log.line())}')
        elif who == 'signal':
            self._child.signal(signal.Signals[f'SIG{text}'])
        elif who == 'exit':
            self._out.append(f'exit status {await self._child.wait(_WITHIN)}')
        else:
            raise Wrong(f'line {step.line}: nobody is called {who!r}')

    async def _upstream(self, server: Scripted, text: str) -> None:
        verb, _, rest = text.partition(' ')
        if verb in ('got', 'accepted', 'closed'):
            wanted = int(rest)
            await until(
                lambda: getattr(server, verb) >= wanted, within=_WITHIN, what=f'{server.name} has {verb} {wanted}'
            )
        elif verb == 'release':
            for _ in range(int(rest or 1)):
                server.release()
        elif verb == 'start':
            await server.start()
        elif verb == 'stop':
            server.stop()
        else:
            raise Wrong(f'an upstream cannot be told to {verb!r}')

    async def _raw(self, data: bytes) -> None:
        """A conversation on the socket in one go: everything sent, then its end, then everything read."""
        reader, writer = await asyncio.open_unix_connection(str(self._cli.path))
        try:
            writer.write(data)
            writer.write_eof()
            said = await reader.read()
        finally:
            with contextlib.suppress(OSError):
                writer.close()
        self._out.append(f'cli > {data!r}')
        self._out += [f'cli < {shown_cli(line)}' for line in said.decode().split('\n')]

    async def _row(self, name: str) -> dict[str, str]:
        proxy, _, server = name.partition('/')
        text = (await self._cli('show stat')).removeprefix('# ')
        rows = [row for row in csv.DictReader(io.StringIO(text)) if (row['pxname'], row['svname']) == (proxy, server)]
        assert rows, f'no {name} in show stat'
        return rows[0]

    async def _until(self, text: str) -> None:
        what, _, rest = text.partition(' ')
        if what == 'stat':
            name, column, wanted = rest.split(maxsplit=2)

            async def reached() -> bool:
                return (await self._row(name))[column] == wanted
        elif what == 'cli':
            pattern, _, command = rest.partition(' in ')

            async def reached() -> bool:
                return re.search(pattern, await self._cli(command)) is not None
        else:
            raise Wrong(f'nobody can wait until {what!r}')
        await until(reached, within=_WITHIN, what=text)
