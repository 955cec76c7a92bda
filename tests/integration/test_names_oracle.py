"""Beside the real HAProxy: the same nameserver, the same file, the same events; the same states, the same lines, the same counters.

What each server says about itself is compared, in the order in which it says it; how many are left, and who comes first, depends on
how many change in one instant, which here are all of an answer.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.harness.cli import Cli
from tests.integration.harness.nameserver import Nameserver
from tests.integration.harness.planes import Stage, stage
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until

pytestmark = pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed')

SERVICE = '_http._tcp.web.consul'
CONFIG = """global
    stats socket {directory}/{name}.sock level admin
    nbthread 1
resolvers d
    nameserver n1 {dns}
    timeout resolve 100ms
    timeout retry 1s
    hold nx 200ms
    hold timeout 200ms
    hold other 200ms
    hold refused 200ms
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    default-server init-addr none resolve-prefer ipv4
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    server-template app 3 app.internal:80 resolvers d
    server one one.internal:81 resolvers d
    server-template dup 2 one.internal:82 resolvers d resolve-opts allow-dup-ip
    server static 127.0.0.9:80
backend c
    server-template web 2 {service} resolvers d
    server light {service} resolvers d resolve-opts ignore-weight
"""
LINE = re.compile(r'\[[A-Z]+\] +\(\d+\) : ((?:Server )?([bc]/\w+) .*)')
LEFT = re.compile(r'(\)\.) \d+ active and .*')
# srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_fqdn srv_port srvrecord
FIELDS = (3, 4, 5, 6, 7, 8, 17, 18, 19)
COMMANDS = (
    'set server b/one fqdn one.internal', 'set server b/one fqdn two.internal', 'set server b/static fqdn x.y',
    'set server c/web1 fqdn x.y', 'set server b/one fqdn -a/b', 'set server b/one fqdn', 'show resolvers nobody',
)  # fmt: skip


class Proxy:
    """One of the two, with a nameserver of its own."""

    def __init__(self, name: str, directory: Path, dns: Nameserver, child: Child) -> None:
        self.name, self.dns, self.child = name, dns, child
        self.cli = Cli(directory / f'{name}.sock')
        self.seen: list[object] = []

    async def states(self) -> list[tuple[str, ...]]:
        rows = [line.split() for line in (await self.cli('show servers state')).splitlines()]
        rows = [row for row in rows if len(row) > 20 and row[0] != '#']
        return [tuple(self._field(row, at) for at in FIELDS) for row in rows]

    @staticmethod
    def _field(row: list[str], at: int) -> str:
        """HAProxy shows that a name was changed (64) only with the next change of another kind."""
        return str(int(row[at]) & ~64) if at == 6 else row[at]

    async def settle(self, wanted: Callable[[dict[str, str]], bool]) -> None:
        """Wait for addresses, then note everything there is to see."""

        async def there() -> bool:
            rows = await self.states()
            return wanted({row[0]: row[1] for row in rows} | {f'{row[0]} is': row[6] for row in rows})

        await until(there, within=60, what=f'{self.name} is there')
        self.seen.append(await self.states())
        statuses = {key: row['status'] for key, row in (await self.cli.stat()).items() if key[1] != 'FRONTEND'}
        self.seen.append(statuses)

    def lines(self) -> dict[str, list[str]]:
        """What each server said of itself. HAProxy prints no line about a host name, only sends it."""
        found = defaultdict(list)
        for text, server in LINE.findall(self.child.printed.read_text()):
            if 'FQDN' not in text:
                found[server].append(LEFT.sub(r'\1', text))
        return dict(found)


async def proxy(on: Stage, name: str) -> Proxy:
    dns = await on.enter(Nameserver())
    path = on.directory / f'{name}.cfg'
    text = CONFIG.format(directory=on.directory, name=name, dns=dns.address, port=on.ports.take(), service=SERVICE)
    path.write_text(text)
    program = ['haproxy'] if name == 'haproxy' else python('dataplane.supervisor.main')
    child = await spawn([*program, '-f', str(path)], name=name, directory=on.directory)
    on.stack.push_async_callback(child.stop)
    made = Proxy(name, on.directory, dns, child)
    await until(made.cli.ready, within=60, what=f'{name} is up')
    return made


async def story(one: Proxy) -> None:
    """Names come, change, fail in every way, and come back."""
    dns = one.dns
    await one.settle(_without_addresses)
    dns.has('app.internal', '127.0.0.2', '127.0.0.3', '127.0.0.4')
    dns.has('one.internal', '127.0.0.2')
    dns.has('two.internal', '127.0.0.7')
    dns.records[SERVICE, 'SRV'] = ['1 65535 8001 w1.consul.']
    dns.additional = [('w1.consul', 'A', '127.0.0.5')]
    await one.settle(lambda at: at['app3'] != '-' and at['one'] != '-' and at['web1'] == '127.0.0.5')
    dns.has('w2.consul', '127.0.0.6')
    dns.records[SERVICE, 'SRV'] = ['1 256 8001 w1.consul.', '1 300 8002 w2.consul.']
    await one.settle(lambda at: at['web2'] == '127.0.0.6')
    gone = next(row[1] for row in await one.states() if row[0] == 'app2')
    dns.has('app.internal', *({'127.0.0.2', '127.0.0.3', '127.0.0.4'} - {gone}))
    dns.records[SERVICE, 'SRV'] = ['1 256 8002 w2.consul.']
    dns.additional = [
        ('w2.consul', 'A', '127.0.0.6')
    ]  # or whether it or the service is forgotten first is a matter of luck
    await one.settle(lambda at: at['app2'] == '-' == at['web1'])
    one.seen.append([await one.cli(command) for command in COMMANDS])
    await one.settle(lambda at: at['one'] == '127.0.0.7')
    for spoiled, whole in (('rcode', None), ('silent', False)):
        setattr(dns, spoiled, 5 if spoiled == 'rcode' else True)
        await one.settle(_without_addresses)
        await one.cli('disable server b/one')
        dns.records[SERVICE, 'SRV'] = []
        setattr(dns, spoiled, whole)
        await one.settle(
            lambda at: (
                at['one'] == '127.0.0.7'
                and at['dup1'] == at['dup2'] == '127.0.0.2'
                and '-' not in (at['app1'], at['app2'])
            )
        )
        await one.cli('enable server b/one')
    text = (await one.cli('show resolvers d')).splitlines()
    counts = [line for line in text if 'outdated' not in line]  # what came too late, if anything
    one.seen.append([(line.partition(':')[0], line.partition(':')[2].strip() != '0') for line in counts])
    one.seen.append((await one.cli('show stat domain resolvers')).splitlines()[0])


def _without_addresses(at: dict[str, str]) -> bool:
    return {at[f'{name} is'] for name in ('web1', 'web2', 'light')} == {'-'} and all(
        at[name] == '-' for name in at if ' ' not in name and name != 'static'
    )


@pytest.mark.timeout(300)
async def test_both_tell_the_same_story() -> None:
    async with stage() as on:
        told = []
        for name in ('haproxy', 'sluice'):
            one = await proxy(on, name)
            await story(one)
            told.append(one)
        haproxy, sluice = told
        for number, (expected, found) in enumerate(zip(haproxy.seen, sluice.seen, strict=True)):
            assert normal(found) == normal(expected), f'step {number}'
        for server, lines in haproxy.lines().items():
            assert sluice.lines()[server] == lines


def normal(seen: object) -> str:
    """Which of the servers of one name has which of its addresses is HAProxy's hash's to say: see docs/names.md."""
    text = repr(seen)
    for address in ('127.0.0.2', '127.0.0.3', '127.0.0.4'):
        text = re.sub(rf"('app\d', '){re.escape(address)}'", r"\1ADDRESS'", text)
    return text
