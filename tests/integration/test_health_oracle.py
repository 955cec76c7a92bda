"""Beside the real HAProxy: the same servers, the same file, the same commands; the same lines and the same statistics."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.harness.cli import Cli
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until
from tests.unit.health.servers import OK, Server, refusing, serving

pytestmark = [
    pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed'),
    pytest.mark.timeout(600),
]

LIMIT = 200
"""Seconds until both must agree. On an idle machine they do in less than ten."""

STATUS = 'status check_status check_code last_chk check_desc check_rise check_fall check_health chkfail chkdown tracked'
AGENT = 'agent_status agent_code last_agt agent_desc agent_rise agent_fall agent_health weight'
COLUMNS = f'{STATUS} {AGENT}'.split()
LINE = re.compile(r'(?:(?:Backup )?[Ss]erver|(?:Health|Agent) check for (?:backup )?server) (\w+/\w+) .*')
DURATION = re.compile(r'check duration: \d+ms')
ANSWERS = {
    'ok': OK,
    'missing': b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
    'wrong': b'HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nworse',
    'half': b'HTTP/1.1 2',
    'junk': b'garbage\r\n',
    'part': b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nOK',
    'pong': b'+PONG\r\n',
}
AGENTS = {
    'up': b'up\n', 'down': b'down #because\n', 'drain': b'drain 50%\n', 'strange': b'nonsense\n', 'empty': b'',
    'ready': b'ready up 75%\n', 'fail': b'fail #x y\r\n', 'stopped': b'stopped\n', 'half': b'50%\n',
}  # fmt: skip
PROBES = {
    'l4': [],
    'http': ['option httpchk'],
    'get': ['option httpchk', 'http-check send meth GET uri /x ver HTTP/1.1 hdr Host h', 'http-check expect status 200',
            'http-check disable-on-404'],
    'body': ['option httpchk GET /', 'http-check expect comment words string OK'],
    'not': ['option httpchk GET /', 'http-check expect ! rstring ^O.$'],
    'head': ['option httpchk', 'http-check expect hdr name content-length value 2'],
    'ping': ['option tcp-check', 'tcp-check connect', 'tcp-check comment c1', 'tcp-check send PING\\r\\n',
             'tcp-check expect string +PONG'],
    'bin': ['option tcp-check', 'tcp-check send-binary 50494e47', 'tcp-check expect binary 2b504f4e47'],
    'regex': ['option tcp-check', 'tcp-check send x', 'tcp-check expect ! rstring 2..'],
    'twice': ['option tcp-check', 'tcp-check connect', 'tcp-check connect'],
    'again': ['option tcp-check', 'tcp-check connect', 'tcp-check send x', 'tcp-check connect comment again'],
    'named': ['option tcp-check', 'tcp-check send x', 'tcp-check expect ok-status L6OK error-status L4CON string 200'],
}  # fmt: skip

TURNED = [
    'agent_down', 'agent_up', 'bin_missing', 'body_ok', 'body_wrong', 'both_down', 'both_up', 'followed', 'follower', 'get_missing',
    'get_ok', 'get_wrong', 'head_ok', 'head_wrong', 'http_ok', 'http_reset', 'http_wrong', 'not_ok', 'not_wrong', 'ping_missing',
    'regex_ok', 'regex_wrong',
]  # fmt: skip
"""Who is in another state once what was well fails and what failed is well."""


@dataclass
class Farm:
    """Backends of one server each (and one that is always there, so that none is empty), by what their servers do."""

    servers: dict[str, Server] = field(default_factory=dict)
    text: str = ''
    count: int = 0

    def add(self, name: str, lines: list[str], port: int, words: str, *, hangs: bool = False) -> None:
        """Only who `hangs` is given up, after its interval: elsewhere a busy machine must not make an answer come too late."""
        said = ''.join(f' {line}\n' for line in (lines if hangs else [*lines, 'timeout check 60s']))
        self.count += 1
        self.text += f'backend {name}\n{said} server s 127.0.0.1:{port} {words}\n server other 127.0.0.1:{port}\n'


@dataclass
class Proxy:
    """One of the two, running; and what it last said of each server: its columns, and its fields of `show servers state`.

    `untold`: servers of which it is not asked what a check that passed has heard.
    """

    child: Child
    cli: Cli
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()

    def lines(self) -> dict[str, list[str]]:
        """What it logged of each server, without durations."""
        found = defaultdict(list)
        for line in self.child.printed.read_text().splitlines():
            match = LINE.fullmatch(line)
            if match is not None and 'remains in forced drain mode' not in line:
                found[match[1]].append(DURATION.sub('check duration', line))
        return dict(found)

    async def look(self) -> None:
        """Ask it. While a check is under way HAProxy has forgotten what the one before found: then what it said stays."""
        for (backend, server), row in (await self.cli.stat()).items():
            if server == 's' and '*' not in row['check_status'] + row['agent_status']:
                told = {'last_chk': ''} if f'{backend}/s' in self.untold and row['check_status'] == 'L7OK' else {}
                self.rows[f'{backend}/s'] = {name: row[name] for name in COLUMNS} | told
        for line in (await self.cli('show servers state')).splitlines()[2:]:
            fields = line.split()
            if len(fields) > 20 and fields[3] == 's' and not (int(fields[13]) | int(fields[14])) & 1:
                self.states[f'{fields[1]}/s'] = ' '.join((*fields[5:9], *fields[10:15], *fields[21:25]))

    def is_in(self, statuses: dict[str, str]) -> bool:
        """Is any of these servers still in the state it is said here to be in?"""
        return any(self.rows[name]['status'] == status for name, status in statuses.items())


async def farm(stack: AsyncExitStack, *, log_checks: bool) -> Farm:
    made = Farm()
    option = ['option log-health-checks'] if log_checks else []
    for name, answer in ANSWERS.items():
        made.servers[name] = server = await stack.enter_async_context(serving())
        server.says = answer
        for probe, lines in PROBES.items():
            made.add(f'{probe}_{name}', [*option, *lines], server.port, 'check')
    for name, how in (('hang', 'hangs'), ('reset', 'resets')):
        made.servers[name] = server = await stack.enter_async_context(serving())
        setattr(server, how, True)
        for probe in ('http', 'ping'):
            made.add(f'{probe}_{name}', [*option, *PROBES[probe]], server.port, 'check', hangs=how == 'hangs')
    for probe in ('l4', 'http', 'ping', 'bin'):
        made.add(f'{probe}_refused', [*option, *PROBES[probe]], refusing(), 'check')
    for probe in ('http', 'ping'):
        port = made.servers['ok'].port
        made.add(f'{probe}_nowhere', [*option, *PROBES[probe]], port, 'check addr 255.255.255.255')
        made.add(f'{probe}_sourceless', [*option, *PROBES[probe]], port, 'check source 192.0.2.1')
    for name, words in AGENTS.items():
        made.servers[f'agent_{name}'] = server = await stack.enter_async_context(serving())
        server.says, server.first = words, True
        port = made.servers['ok'].port
        agent = f'weight 100 agent-check agent-inter 2s agent-port {server.port}'
        made.add(f'agent_{name}', [*option, 'balance roundrobin'], port, agent)
        made.add(f'both_{name}', [*option, 'balance roundrobin'], port, f'check {agent}')
    made.add('agent_refused', [*option, 'balance roundrobin'], made.servers['ok'].port,
             f'agent-check agent-inter 2s agent-port {refusing()}')  # fmt: skip
    made.add('backup', option, made.servers['ok'].port, 'check backup')
    made.add('followed', option, made.servers['ok'].port, 'track http_ok/s')
    made.add('follower', option, made.servers['wrong'].port, 'track http_wrong/s')
    return made


async def started(stack: AsyncExitStack, directory: Path, name: str, text: str) -> Proxy:
    front = refusing()
    file = directory / f'{name}.cfg'
    file.write_text(
        f'global\n stats socket {directory}/{name}.sock level admin\n log stdout format raw local0\n'
        'defaults\n mode http\n timeout client 5s\n timeout connect 1s\n timeout server 5s\n log global\n'
        f' default-server inter 2s fastinter 500 downinter 2s rise 2 fall 2\nfrontend f\n bind 127.0.0.1:{front}\n default_backend {text.split()[1]}\n{text}'
    )
    argv = ['haproxy', '-f', str(file)] if name == 'haproxy' else python('dataplane.supervisor.main', '-f', str(file))
    child = await spawn(argv, name=name, directory=directory)
    stack.push_async_callback(child.stop)
    cli = Cli(directory / f'{name}.sock')
    await until(cli.ready, within=LIMIT, what=f'{name} answers on its stats socket', every=0.1)
    return Proxy(child, cli)


async def alike(one: Proxy, other: Proxy, servers: int) -> bool:
    """Do both say the same of so many servers, every one of them checked? Lines come first: they cost the least to compare."""
    if one.lines() != other.lines():
        return False
    await one.look()
    await other.look()
    if not len(one.rows) == len(one.states) == servers or any(
        'INI' in row['check_status'] for row in one.rows.values()
    ):
        return False
    return one.rows == other.rows and one.states == other.states


def differences(one: Proxy, other: Proxy) -> str:
    found = []
    for what, ours, theirs in (
        ('lines', one.lines(), other.lines()), ('rows', one.rows, other.rows), ('states', one.states, other.states),
    ):  # fmt: skip
        found += [
            f'{what} {key}\n  sluice  {ours.get(key)}\n  haproxy {theirs.get(key)}'
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]
    return '\n'.join(found)


async def compare(one: Proxy, other: Proxy, made: Farm, left: dict[str, str] | None = None) -> None:
    """Wait until both say the same, and nobody is any more in a state that is to be `left`; or show where they differ."""

    for proxy in (one, other):
        proxy.rows.clear()
        proxy.states.clear()

    async def settled() -> bool:
        same = await alike(one, other, made.count)
        return same and not (left and one.is_in(left))

    try:
        await until(settled, within=LIMIT, what='both say the same', every=0.2)
    except AssertionError as late:
        raise AssertionError(f'{late}\n{differences(one, other)}') from None


@pytest.mark.parametrize('log_checks', [False, True])
async def test_statuses_and_lines_are_haproxys(tmp_path: Path, log_checks: bool) -> None:
    async with AsyncExitStack() as stack:
        made = await farm(stack, log_checks=log_checks)
        sluice = await started(stack, tmp_path, 'sluice', made.text)
        haproxy = await started(stack, tmp_path, 'haproxy', made.text)
        await compare(sluice, haproxy, made)
        left = {f'{name}/s': sluice.rows[f'{name}/s']['status'] for name in TURNED}
        # what was well fails, and what failed is well
        servers = made.servers
        servers['ok'].says, servers['wrong'].says = ANSWERS['wrong'], ANSWERS['ok']
        servers['missing'].says, servers['half'].says = ANSWERS['pong'], ANSWERS['missing']
        servers['agent_up'].says, servers['agent_down'].says = AGENTS['down'], AGENTS['up']
        servers['reset'].resets = False
        await compare(sluice, haproxy, made, left)
        assert len([line for lines in sluice.lines().values() for line in lines]) > 60


async def test_the_stats_socket_does_what_haproxys_does(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        made = Farm()
        server = await stack.enter_async_context(serving())
        agent = await stack.enter_async_context(serving())
        agent.says, agent.first = AGENTS['empty'], True
        slow = 'check inter 1h'
        made.add('a', [], server.port, slow)
        made.add('b', ['option httpchk'], server.port, slow)
        made.add('c', [], server.port, f'{slow} agent-check agent-inter 2s agent-port {agent.port}')
        made.add('t', [], server.port, 'track b/s')
        sluice = await started(stack, tmp_path, 'sluice', made.text)
        haproxy = await started(stack, tmp_path, 'haproxy', made.text)
        await compare(sluice, haproxy, made)
        for command in COMMANDS:
            answers = [await proxy.cli(command) for proxy in (sluice, haproxy)]
            assert answers[0].strip() == answers[1].strip(), command
            await compare(sluice, haproxy, made)


COMMANDS = [
    'set server a/s health down', 'set server a/s health up', 'set server a/s health stopping', 'set server a/s health up',
    'set server a/s health foo', 'set server a/s state maint', 'set server a/s state ready', 'set server a/s agent up',
    'set server c/s agent down', 'set server c/s state maint', 'set server c/s state ready', 'set server c/s agent up',
    'set server c/s agent foo', 'set server c/s agent-send hello', 'set server c/s agent-port x', 'set server c/s agent-port',
    'set server a/s check-port 81', 'set server a/s check-port x', 'set server a/s check-addr 127.0.0.5',
    'set server a/s check-addr foo', 'set server a/s check-addr 127.0.0.6 port 82', 'set server a/s agent-addr 1.2.3.4',
    'set server a/other check-port 5', 'enable health a/other', 'disable health a/other', 'enable agent a/s', 'disable agent a/s',
    'set server t/s health up', 'set server b/s state drain', 'set server b/s state ready', 'set server b/s health down',
    'set server b/s state maint', 'set server b/s state ready', 'set server b/s health stopping', 'set server b/s health up',
    'enable health t/s',
]  # fmt: skip
