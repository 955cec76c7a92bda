"""The supervisor's stick tables: kept from one configuration to the next or begun anew, swept, cleared of the dead."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from multiprocessing import Pipe

import pytest

from dataplane.core.compose import Refused
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.core.tables import Tables
from dataplane.rules.actions import Rules, Stick
from dataplane.rules.model import Call, Expression
from dataplane.stick import StickTable
from dataplane.supervisor.shelf import Shelf


def definition(name: str = 't', size: int = 10, expire: int = 0) -> Definition:
    return Definition(
        name=name, key=KeyType.STRING, length=8, size=size, expire=expire, stores=(Data('server_id'), Data('conn_cur'))
    )


def tables(number: int, *definitions: Definition, servers: str = '') -> Tables:
    """Tables with these stick tables and a backend `b` that sticks by `t`; `servers`: a letter each, numbered from 1."""
    sticks = (Stick('t', Expression(Call('src')), match=True, store=True),)
    known = tuple(Server(name=name, id=id_, host='127.0.0.1', port=1) for id_, name in enumerate(servers, start=1))
    backend = Backend(name='b', id=2, servers=known, rules=Rules(sticks=sticks))
    return Tables(number, Snapshot(backends=(backend,), stick_tables=definitions))


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf(asyncio.get_running_loop(), 2, lambda level, text: None)


@pytest.fixture(autouse=True)
async def closed(shelf: Shelf) -> AsyncIterator[None]:
    yield
    shelf.close()
    assert shelf.tables == {}


def adopt(shelf: Shelf, new: Tables) -> None:
    fds = shelf.descriptors(new)
    shelf.adopt(new, new)
    assert shelf.current(new) == fds


def fill(shelf: Shelf, name: str = 't') -> None:
    shelf.tables[name].put(b'k', (('server_id', 0, 1),), make=True)


async def test_a_table_outlasts_a_reload_that_says_the_same_of_it(shelf: Shelf) -> None:
    adopt(shelf, tables(1, definition(), definition('u'), servers='ab'))
    fill(shelf)
    before = shelf.tables['t']
    adopt(shelf, tables(2, definition(), servers='abc'))
    assert shelf.tables == {'t': before}
    assert before.read(b'k', 'server_id') == 1


async def test_it_begins_anew_where_it_is_another(shelf: Shelf) -> None:
    adopt(shelf, tables(1, definition()))
    fill(shelf)
    adopt(shelf, tables(2, definition(size=11)))
    assert shelf.tables['t'].used == 0


@pytest.mark.parametrize('before, after', [('ab', 'abc'), ('ab', 'a'), ('ab', 'ba'), ('ab', 'xb'), ('', 'ab')])
async def test_it_does_not_matter_which_numbers_servers_have(shelf: Shelf, before: str, after: str) -> None:
    adopt(shelf, tables(1, definition(), servers=before))
    fill(shelf)
    adopt(shelf, tables(2, definition(), servers=after))
    assert shelf.tables['t'].used == 1


async def test_what_was_proposed_and_refused_leaves_the_tables_as_they_are(shelf: Shelf) -> None:
    adopt(shelf, tables(1, definition(), servers='ab'))
    fill(shelf)
    shelf.descriptors(tables(2, definition(size=11), definition('u')))
    # what follows changes no tables of workers, so it has the old number
    again = tables(1, definition(), servers='ab')
    shelf.adopt(again, again)
    assert list(shelf.tables) == ['t']
    assert shelf.tables['t'].used == 1
    adopt(shelf, tables(2, definition(size=11)))
    assert shelf.tables['t'].used == 0


async def test_without_memory_the_change_is_refused(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> StickTable:
        raise OSError(24, 'Too many open files')

    monkeypatch.setattr(StickTable, 'create', no_memory)
    with pytest.raises(Refused) as refused:
        shelf.descriptors(tables(1, definition()))
    assert refused.value.problems == ('stick tables cannot be made: [Errno 24] Too many open files',)


async def test_what_expired_is_swept_though_nobody_asks(shelf: Shelf) -> None:
    adopt(shelf, tables(1, definition(size=100, expire=1)))
    table = shelf.tables['t']
    for number in range(60):
        table.put(b'%d' % number, (), make=True)
    async with asyncio.timeout(20):
        while table.used:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_of_the_dead_nothing_is_tracked_any_more(shelf: Shelf) -> None:
    adopt(shelf, tables(1, definition(), definition('u')))
    for worker, name in ((0, 't'), (1, 't'), (1, 'u')):
        mine = StickTable(os.dup(shelf.tables[name].fd), shelf.tables[name].definition, 2, worker=worker)
        mine.track(b'k')
        mine.close()
    await shelf.forget(1)
    assert [shelf.tables[name].trackers(b'k') for name in 'tu'] == [1, 0]


async def test_who_holds_a_shard_and_stands_still_is_named_and_what_was_owed_is_done_once_he_is_gone(
    shelf: Shelf,
) -> None:
    adopt(shelf, tables(1, definition(expire=60_000)))
    table = shelf.tables['t']
    told: list[tuple[int, str]] = []
    shelf.stuck = lambda tid, what: told.append((tid, what))
    ready, tell = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        try:
            mine = StickTable(os.dup(table.fd), table.definition, 2, worker=1)
            mine.track(b'k')
            mine._locks[0].lock()
            tell.send_bytes(b'held')
            signal.pause()
        finally:
            os._exit(0)
    assert ready.recv_bytes() == b'held'
    forgetting = asyncio.create_task(shelf.forget(1))
    async with asyncio.timeout(20):
        while not told:  # noqa: ASYNC110 - what is awaited is a timer of its own
            await asyncio.sleep(0.01)
    assert set(told) == {(pid, 'table t')}
    assert set(shelf.holders()) == {pid}
    assert not forgetting.done()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)  # noqa: ASYNC222 - it was killed
    await asyncio.wait_for(forgetting, 20)
    assert table.trackers(b'k') == 0
