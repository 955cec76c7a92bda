"""Names of servers asked of real nameservers, with traffic: addresses come, change and go, and nothing else is disturbed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.harness.load import Load, ask
from tests.integration.harness.nameserver import Nameserver
from tests.integration.harness.planes import DataPlane, Stage, stage
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

APP = 'app.internal'
SERVICE = '_http._tcp.web.consul'
FAST = """    timeout resolve 100ms
    timeout retry 500ms
    hold nx 200ms
    hold timeout 200ms
    hold other 200ms
    hold refused 200ms
"""
SLOW = FAST.replace('hold timeout 200ms', 'hold timeout 1h')


def section(*nameservers: str, more: str = FAST) -> str:
    lines = ''.join(f'    nameserver n{number} {where}\n' for number, where in enumerate(nameservers, 1))
    return f'resolvers r\n{lines}{more}'


def proxy(port: int, servers: str) -> str:
    return f'listen px\n    bind 127.0.0.1:{port}\n    retries 0\n    default-server resolvers r init-addr none resolve-prefer ipv4\n{servers}'


async def machines(on: Stage, *hosts: str) -> tuple[int, dict[str, Upstream]]:
    """Servers at these addresses, all at one port, which is returned, too."""
    port, found = on.ports.take(), {}
    for host in hosts:
        found[host] = server = Upstream(host, 0.002, host=host)
        await server.start(port)
        on.stack.push_async_callback(server.close)
    return port, found


async def states(plane: DataPlane) -> dict[str, list[str]]:
    """Fields of `show servers state` by server."""
    lines = (await plane.cli('show servers state px')).splitlines()
    return {fields[3]: fields for fields in map(str.split, lines) if len(fields) > 20 and fields[0] != '#'}


async def hosts(plane: DataPlane) -> list[str]:
    return sorted(fields[4] for fields in (await states(plane)).values())


async def at(plane: DataPlane, *wanted: str) -> None:
    async def there() -> bool:
        return await hosts(plane) == sorted(wanted)

    await until(there, within=30, what=f'servers are at {wanted}')


async def counted(plane: DataPlane, which: str, nameserver: str = 'n1') -> int:
    text = (await plane.cli('show resolvers r')).partition(f'nameserver {nameserver}:')[2]
    return int(text.partition(f'{which}:')[2].split()[0])


async def status(plane: DataPlane, server: str) -> str:
    return (await plane.cli.stat())['px', server]['status']


async def test_addresses_change_under_load_without_a_failed_request() -> None:
    async with stage() as on, Nameserver() as dns:
        inside, servers = await machines(on, '127.0.0.2', '127.0.0.3', '127.0.0.4')
        dns.has(APP, '127.0.0.2', '127.0.0.3')
        port = on.ports.take()
        plane = await on.data_plane(
            section(dns.address, more=SLOW) + proxy(port, f'    server-template s 3 {APP}:{inside}\n'), port=port
        )
        await at(plane, '-', '127.0.0.2', '127.0.0.3')
        before = {name: fields[4] for name, fields in (await states(plane)).items()}
        async with Load(port, 8, pause=0.005) as load:
            for wanted in (('127.0.0.3', '127.0.0.4'), ('127.0.0.2', '127.0.0.4', '127.0.0.3'), ('127.0.0.3',)):
                dns.has(APP, *wanted)
                await at(plane, *wanted, *['-'] * (3 - len(wanted)))
                for host in wanted:
                    servers[host].forget()
                await until(lambda: all(servers[h].arrivals for h in wanted), within=30, what='all do work')  # noqa: B023
        assert not load.failed(), load.failed()[:3]
        kept = {name for name, fields in (await states(plane)).items() if fields[4] == before[name] == '127.0.0.3'}
        assert len(kept) == 1  # it stayed where it was through all of that
        assert await counted(plane, 'update') >= 1


async def test_a_name_that_is_no_more_takes_its_servers_down_and_brings_them_back() -> None:
    async with stage() as on, Nameserver() as dns:
        inside, _ = await machines(on, '127.0.0.2')
        dns.has(APP, '127.0.0.2')
        port = on.ports.take()
        plane = await on.data_plane(section(dns.address) + proxy(port, f'    server s {APP}:{inside}\n'), port=port)
        ways: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            ('DNS NX status', dns.records.clear, lambda: dns.has(APP, '127.0.0.2')),
            ('DNS timeout status', lambda: setattr(dns, 'silent', True), lambda: setattr(dns, 'silent', False)),
            ('DNS refused status', lambda: setattr(dns, 'rcode', 5), lambda: setattr(dns, 'rcode', None)),
            ('unspecified DNS error', lambda: setattr(dns, 'rcode', 2), lambda: setattr(dns, 'rcode', None)),
        ]
        for cause, spoil, mend in ways:
            await at(plane, '127.0.0.2')
            assert (await ask(port)).status == 200
            spoil()
            await at(plane, '-')
            assert await status(plane, 's') == 'MAINT (resolution)'
            assert (await states(plane))['s'][6] == '32'
            assert (await ask(port)).status == 503
            assert f'Server px/s is going DOWN for maintenance ({cause}).' in plane.printed()
            mend()
        await at(plane, '127.0.0.2')
        said = plane.printed()
        assert 'px/s changed its IP from (none) to 127.0.0.2 by r/n1.' in said
        assert f"Server px/s ('{APP}') is UP/READY (resolves again)." in said
        assert 'Server px/s administratively READY thanks to valid DNS answer.' in said


async def test_an_answer_that_was_cut_off_is_asked_for_over_tcp() -> None:
    async with stage() as on, Nameserver() as dns:
        many = [f'10.9.{number // 250}.{number % 250 + 1}' for number in range(600)]
        dns.has(APP, *many)
        dns.truncates = True
        port = on.ports.take()
        text = section(dns.address, more=FAST + '    accepted_payload_size 1232\n')
        plane = await on.data_plane(text + proxy(port, f'    server-template s 500 {APP}:80\n'), port=port)
        await until(lambda: _all_at(plane, set(many)), within=60, what='all have addresses of the long answer')
        assert await counted(plane, 'truncated') >= 1
        assert {how for _, _, how in dns.asked} == {'udp', 'tcp'}
        assert set(dns.payloads) == {1232}


async def _all_at(plane: DataPlane, wanted: set[str]) -> bool:
    found = await hosts(plane)
    return set(found) <= wanted and len(set(found)) == len(found) == 500


async def test_nameservers_of_tcp_and_one_that_is_not_there() -> None:
    async with stage() as on, Nameserver() as dns:
        dns.has(APP, '127.0.0.2')
        port = on.ports.take()
        text = section(f'tcp@{dns.address}', f'127.0.0.1:{on.ports.take()}', f'tcp@127.0.0.1:{on.ports.take()}')
        plane = await on.data_plane(text + proxy(port, f'    server s {APP}:80\n'), port=port)
        await at(plane, '127.0.0.2')
        assert {how for _, _, how in dns.asked} == {'tcp'}
        await until(lambda: counted(plane, 'snd_error', 'n3'), within=30, what='the one that is not there is counted')


@pytest.mark.parametrize(
    'wrong, counter',
    [
        ({'wrong_id': True}, 'outdated'),
        ({'wrong_name': True}, 'other'),
        ({'garbage': b'\xff' * 40}, 'outdated'),
        ({'garbage': b'\0'}, 'invalid'),
    ],
    ids=str,
)
async def test_what_answers_nothing_that_was_asked_changes_nothing(wrong: dict[str, object], counter: str) -> None:
    async with stage() as on, Nameserver() as dns, Nameserver() as other:
        dns.has(APP, '127.0.0.2')
        other.has(APP, '127.0.0.9')
        for name, value in wrong.items():
            setattr(other, name, value)
        port = on.ports.take()
        text = section(other.address, dns.address)
        plane = await on.data_plane(text + proxy(port, f'    server s {APP}:80\n'), port=port)
        await at(plane, '127.0.0.2')
        await until(lambda: counted(plane, counter), within=30, what=f'it is counted as {counter}')
        assert await hosts(plane) == ['127.0.0.2']
        assert await counted(plane, 'valid') == 0
        await plane.cli('clear counters')
        assert await counted(plane, 'valid', 'n2')
        dns.silent = other.silent = True
        await plane.cli('clear counters all')
        assert await counted(plane, counter) == 0


async def test_a_stranger_who_knows_the_question_is_not_heard() -> None:
    async with stage() as on, Nameserver() as dns:
        dns.has(APP, '127.0.0.2')
        dns.forged = '127.0.0.66'
        port = on.ports.take()
        plane = await on.data_plane(section(dns.address) + proxy(port, f'    server s {APP}:80\n'), port=port)
        await dns.was_asked(APP, 5)
        assert await hosts(plane) == ['127.0.0.2']
        assert '127.0.0.66' not in plane.printed()


async def test_records_of_a_service_say_port_and_weight() -> None:
    async with stage() as on, Nameserver() as dns:
        one, two = await on.upstream('one'), await on.upstream('two')
        dns.records[SERVICE, 'SRV'] = [f'1 65535 {one.port} w1.consul.', f'1 300 {two.port} w2.consul.']
        dns.additional = [('w1.consul', 'A', '127.0.0.1')]
        dns.has('w2.consul', '127.0.0.1')
        port = on.ports.take()
        plane = await on.data_plane(
            section(dns.address) + proxy(port, f'    server-template w 3 {SERVICE}\n'), port=port
        )
        await at(plane, '-', '127.0.0.1', '127.0.0.1')
        assert {(await ask(port)).server for _ in range(300)} == {'one', 'two'}
        found = await states(plane)
        assert [(f[17], f[18], f[19], f[7]) for f in found.values()] == [
            ('w1.consul', str(one.port), SERVICE, '256'),
            ('w2.consul', str(two.port), SERVICE, '2'),
            ('-', '0', SERVICE, '1'),
        ]
        assert ('w1.consul', 'A', 'udp') not in dns.asked  # its address came along
        dns.records[SERVICE, 'SRV'] = [f'1 0 {two.port} w2.consul.']
        await at(plane, '-', '-', '127.0.0.1')
        await until(lambda: _weighs(plane, 'w2', '0'), within=30, what='0 stays 0')
        assert 'px/w1 changed its IP from (none) to 127.0.0.1 by DNS additional record.' in plane.printed()
        assert "px/w2 changed its FQDN from (null) to w2.consul by 'SRV record'" in plane.printed()
        assert '(entry removed from SRV record)' in plane.printed()


async def _weighs(plane: DataPlane, server: str, weight: str) -> bool:
    return (await states(plane))[server][7] == weight


async def test_a_reload_keeps_the_addresses_and_asks_for_what_is_new() -> None:
    async with stage() as on, Nameserver() as dns:
        inside, servers = await machines(on, '127.0.0.2', '127.0.0.3')
        dns.has(APP, '127.0.0.2')
        port = on.ports.take()
        text = section(dns.address, more=SLOW) + proxy(port, f'    server s {APP}:{inside}\n')
        plane = await on.data_plane(text, port=port)
        await at(plane, '127.0.0.2')
        dns.silent = True
        async with Load(port, 4, pause=0.01) as load:
            await until(lambda: len(load.records) > 20, within=30, what='traffic flows')
            plane.sections = section(dns.address, more=SLOW) + proxy(
                port, f'    server s {APP}:{inside} maxconn 50\n    server t other.internal:{inside}\n'
            )
            assert 'Reloaded' in await plane.reload()
            assert await hosts(plane) == ['-', '127.0.0.2']
            seen = len(load.records)
            await until(lambda: len(load.records) > seen + 20, within=30, what='traffic goes on')
        assert not load.failed()
        dns.silent = False
        dns.has('other.internal', '127.0.0.3')
        await at(plane, '127.0.0.2', '127.0.0.3')
        plane.sections = section(dns.address) + proxy(port, f'    server s {APP}:{inside}\n')
        assert 'Reloaded' in await plane.reload()
        await dns.was_asked(APP, 2)
        asked = sum(name == 'other.internal' for name, _, _ in dns.asked)
        await dns.was_asked(APP, 3)
        assert sum(name == 'other.internal' for name, _, _ in dns.asked) == asked
        assert servers['127.0.0.2'].arrivals


async def test_another_name_is_asked_for_and_a_state_file_remembers(tmp_path: Path) -> None:
    async with stage() as on, Nameserver() as dns:
        dns.has(APP, '127.0.0.2')
        dns.has('two.internal', '127.0.0.3')
        dns.records[SERVICE, 'SRV'] = ['1 1 8001 w1.consul.']
        dns.has('w1.consul', '127.0.0.4')
        port = on.ports.take()
        state = tmp_path / 'state'
        text = (
            f'{section(dns.address, more=SLOW)}listen px\n    bind 127.0.0.1:{port}\n    load-server-state-from-file local\n'
            f'    server-state-file-name {state}\n    default-server resolvers r init-addr last,none resolve-prefer ipv4\n'
            f'    server s {APP}:80\n    server w {SERVICE}\n    server t 127.0.0.9:80\n'
        )
        plane = await on.data_plane(text, port=port)
        await at(plane, '127.0.0.2', '127.0.0.4', '127.0.0.9')
        said = await plane.cli(
            'set server px/s fqdn two.internal; set server px/t fqdn x; set server px/w fqdn x; set server px/s fqdn ..'
        )
        assert said.split('\n')[::2][:4] == [
            f"px/s changed its FQDN from {APP} to two.internal by 'stats socket command'",
            'set server <b>/<s> fqdn failed because no resolution is configured.',
            'set server <b>/<s> fqdn failed because SRV resolution is configured.',
            "invalid fqdn '..' by 'stats socket command'",
        ]
        await at(plane, '127.0.0.3', '127.0.0.4', '127.0.0.9')
        state.write_text(await plane.cli('show servers state px'))
        dns.silent = True
        again = await on.data_plane(
            text.replace(f':{port}', f':{(other := on.ports.take())}'), name='again', port=other
        )
        found = await states(again)
        assert [(f[4], f[6], f[17], f[18]) for f in found.values()] == [
            ('127.0.0.3', '64', 'two.internal', '80'),
            ('127.0.0.4', '64', 'w1.consul', '8001'),
            ('127.0.0.9', '0', '-', '80'),
        ]
        assert 'resolves again' not in again.printed()
