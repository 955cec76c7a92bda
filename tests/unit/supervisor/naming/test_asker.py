"""One section over real sockets: who is asked when, what is believed, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dataplane.core.lookup import Hold, Resolvers
from dataplane.core.lookup import Nameserver as Declared
from dataplane.supervisor.naming.asker import Asked, Asker
from dataplane.supervisor.naming.counts import Counts
from dataplane.supervisor.naming.question import Status
from tests.integration.harness.nameserver import Nameserver

APP = ('app.internal', 'A')


class Scene:
    """A section of these nameservers, and what was heard of its runs."""

    def __init__(self, *nameservers: Nameserver, tcp: bool = False, **settings: int) -> None:
        declared = tuple(
            Declared(name=f'n{at}', host=one.host, port=one.port, tcp=tcp) for at, one in enumerate(nameservers, 1)
        )
        hold = Hold(nx=0, refused=0, timeout=0, other=0)
        self.section = Resolvers(name='r', nameservers=declared, hold=hold, **{'resolve': 20, 'retry': 50, **settings})
        self.counts = {one.name: Counts() for one in declared}
        self.heard: asyncio.Queue[tuple[Asked, str]] = asyncio.Queue()
        self.asker = Asker(asyncio.get_running_loop(), self.section, self.counts, self._now, self._hear)

    @staticmethod
    def _now() -> int:
        return time.monotonic_ns() // 1_000_000

    def _hear(self, section: str, asked: Asked, nameserver: str) -> None:
        assert section == 'r'
        self.heard.put_nowait((asked, nameserver))

    async def next(self, asked: Asked = APP) -> str:
        """Wait for the end of the next run of a question that has not ended yet; whose answer it was."""
        async with asyncio.timeout(20):
            while True:
                heard, nameserver = await self.heard.get()
                if heard == asked:
                    return nameserver

    async def ends(self, status: Status, asked: Asked = APP) -> str:
        """Wait for a run that ends so."""
        while True:
            nameserver = await self.next(asked)
            if self.asker.questions[asked].status is status:
                return nameserver


@pytest.fixture
async def dns() -> AsyncIterator[Nameserver]:
    async with Nameserver() as one:
        one.has('app.internal', '127.0.0.2')
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Nameserver]:
    async with Nameserver() as one:
        one.has('app.internal', '127.0.0.3')
        yield one


async def test_the_first_valid_answer_counts_and_all_are_asked(dns: Nameserver, other: Nameserver) -> None:
    scene = Scene(dns, other)
    other.silent = True
    scene.asker.want([APP])
    assert [await scene.next() for _ in range(3)] == ['n1'] * 3
    assert scene.asker.questions[APP].addresses == {'127.0.0.2'}
    await other.was_asked('app.internal')
    dns.silent, other.silent = True, False
    assert await scene.ends(Status.VALID) in ('n1', 'n2')
    while await scene.next() != 'n2':
        pass
    assert scene.asker.questions[APP].addresses == {'127.0.0.3'}
    scene.asker.close()


@pytest.mark.parametrize(
    'wrong, status, counter',
    [
        ({'rcode': 3}, Status.NX, 'nx'),
        ({'rcode': 5}, Status.REFUSED, 'refused'),
        ({'rcode': 2}, Status.OTHER, 'other'),
        ({'records': {('app.internal', 'TXT'): ['"x"']}}, Status.OTHER, 'any_err'),
        ({'records': {('app.internal', 'CNAME'): ['nowhere.internal']}}, Status.OTHER, 'cname_error'),
        ({'silent': True}, Status.TIMEOUT, ''),
        ({'wrong_id': True}, Status.TIMEOUT, 'outdated'),
        ({'wrong_name': True}, Status.TIMEOUT, 'other'),
        ({'garbage': b'\0'}, Status.TIMEOUT, 'invalid'),
        ({'garbage': bytes(700)}, Status.TIMEOUT, 'too_big'),
    ],
    ids=str,
)
async def test_every_failure_has_its_status_and_its_counter(
    dns: Nameserver, wrong: dict[str, object], status: Status, counter: str
) -> None:
    for name, value in wrong.items():
        setattr(dns, name, value)
    scene = Scene(dns)
    scene.asker.want([APP])
    assert await scene.ends(status) == ''
    question, counts = scene.asker.questions[APP], scene.counts['n1']
    assert question.forgets(scene._now())
    assert not counter or getattr(counts, counter)
    assert counts.sent == 3 * 2 if wrong.keys() == {'rcode'} else counts.sent >= 3
    scene.asker.close()


async def test_what_does_not_fit_is_asked_for_over_tcp_and_failing_that_is_an_error(dns: Nameserver) -> None:
    dns.truncates = True
    scene = Scene(dns)
    scene.asker.want([APP])
    assert await scene.ends(Status.VALID) == 'n1'
    assert {how for _, _, how in dns.asked} == {'udp', 'tcp'}
    assert scene.counts['n1'].truncated
    scene.asker.close()


async def test_over_tcp_one_connection_is_used_again(dns: Nameserver) -> None:
    scene = Scene(dns, tcp=True)
    scene.asker.want([APP, ('app.internal', 'SRV')])
    for _ in range(5):
        assert await scene.ends(Status.VALID) == 'n1'
    assert {how for _, _, how in dns.asked} == {'tcp'}
    assert dns.connections == 1
    scene.asker.close()


async def test_a_nameserver_that_is_not_there_is_counted(dns: Nameserver) -> None:
    async with Nameserver() as gone:
        pass
    for tcp in (False, True):
        scene = Scene(gone, tcp=tcp)
        scene.asker.want([APP])
        assert await scene.ends(Status.TIMEOUT) == ''
        assert scene.counts['n1'].snd_error
        scene.asker.close()


async def test_ports_change(dns: Nameserver) -> None:
    scene = Scene(dns, resolve=10)
    scene.asker.want([APP])
    for _ in range(70):
        await scene.next()
    assert 3 <= len(dns.peers) <= 4
    scene.asker.close()


async def test_what_is_wanted_no_more_is_asked_no_more(dns: Nameserver) -> None:
    scene, two = Scene(dns), ('two.internal', 'A')
    dns.has('two.internal', '127.0.0.4')
    scene.asker.want([APP, two])
    await scene.ends(Status.VALID, two)
    scene.asker.want([APP])
    asked = sum(name == 'two.internal' for name, _, _ in dns.asked)
    for _ in range(3):
        await scene.next()
    assert sum(name == 'two.internal' for name, _, _ in dns.asked) == asked
    assert list(scene.asker.questions) == [APP]
    scene.asker.close()


async def test_a_section_that_is_declared_anew_knows_what_it_knew(dns: Nameserver, other: Nameserver) -> None:
    scene = Scene(dns)
    scene.asker.want([APP])
    await scene.ends(Status.VALID)
    assert scene.asker.questions[APP].addresses == {'127.0.0.2'}
    scene.asker.adopt(scene.section, scene.counts)
    nameserver = Declared(name='new', host=other.host, port=other.port)
    scene.asker.adopt(replace(scene.section, nameservers=(nameserver,)), {'new': Counts()})
    assert scene.asker.questions[APP].addresses == {'127.0.0.2'}
    while await scene.ends(Status.VALID) != 'new':
        pass
    assert scene.asker.questions[APP].addresses == {'127.0.0.3'}
    scene.asker.close()


async def test_many_names_are_asked_for_in_turns(dns: Nameserver) -> None:
    scene = Scene(dns, resolve=60_000)
    names = [(f'n{number}.internal', 'A') for number in range(100)]
    for name, _ in names:
        dns.has(name, '127.0.0.2')
    scene.asker.want(names)
    heard = set[Asked]()
    async with asyncio.timeout(20):
        while len(heard) < len(names):
            heard.add((await scene.heard.get())[0])
    assert heard == set(names)
    scene.asker.close()
