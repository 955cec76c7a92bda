"""The contract of a store, for all of them. `reopen` is a restart: another store over the same contents.

What follows from Kubernetes is not kept by its store, so for that one `rows` is empty; `test_kubernetes` has what it keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controlplane.domain.desired import Key
from controlplane.domain.log import Entry
from controlplane.domain.refusals import StoreUnavailable
from controlplane.domain.store import KEPT_OPERATIONS, Store, StoredObject, Transaction
from controlplane.domain.version import Version
from controlplane.stores import sqlite as sqlite_module
from controlplane.stores.memory import MemoryStore
from controlplane.stores.sqlite import SqliteStore
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.stores.replica import Replica

Reopen = Callable[[], Store]
APP = StoredObject(Key('backend', 'app'), {'balance': 'first'}, {}, Version(1, 2))
S1 = StoredObject(Key('server', 's1', 'app'), {'port': 1}, {'node': 'n1'}, Version(1, 3))


@pytest.fixture(params=['memory', 'sqlite', 'kubernetes'])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rows(kind: str) -> tuple[StoredObject, ...]:
    return () if kind == 'kubernetes' else (APP, S1)


@pytest.fixture
async def reopen(kind: str, tmp_path: Path) -> AsyncIterator[Reopen]:
    made: list[Store] = []
    first = MemoryStore()
    async with FakeApiServer() as fake:

        def again() -> Store:
            if kind == 'memory':
                store: Store = first.reopened()
            elif kind == 'sqlite':
                store = SqliteStore(str(tmp_path / 'sluice.db'), busy_ms=50)
            else:
                store = Replica(fake, f'replica-{len(made)}').store()
            made.append(store)
            return store

        yield again
        for store in made:
            await store.close()


async def test_the_term_rises_at_every_opening(reopen: Reopen) -> None:
    for term in (1, 2, 3):
        store = reopen()
        assert (await store.open()).term == term
        await store.close()


async def test_what_was_committed_is_there_after_a_restart(reopen: Reopen, rows: tuple[StoredObject, ...]) -> None:
    store = reopen()
    await store.open()
    await store.commit(Transaction(objects=rows, planes={'dp1': {'quarantine': {}}, 'dp2': {}}, operation={'id': 'o1'}))
    await store.commit(Transaction(entry=Entry(Version(1, 2), 5, 'me', 'put', (), ())))
    await store.close()
    loaded = await reopen().open()
    assert sorted(loaded.objects, key=lambda row: row.key) == list(rows)
    assert loaded.planes == {'dp1': {'quarantine': {}}, 'dp2': {}}
    assert loaded.operations == ({'id': 'o1'},)


@pytest.mark.parametrize('kind', ['memory', 'sqlite'])
async def test_things_are_replaced_and_removed(reopen: Reopen) -> None:
    store = reopen()
    await store.open()
    await store.commit(Transaction(objects=(APP, S1), planes={'dp1': {}}))
    newer = StoredObject(APP.key, {'balance': 'random'}, {}, Version(1, 4))
    await store.commit(
        Transaction(objects=(newer, StoredObject(S1.key, None, {}, Version(1, 4))), planes={'dp1': None})
    )
    loaded = await reopen().open()
    assert loaded.objects == (newer,)
    assert loaded.planes == {}


async def test_planes_are_forgotten_and_holding_back_is_kept(reopen: Reopen) -> None:
    store = reopen()
    assert not (await store.open()).holding_back
    await store.commit(Transaction(planes={'dp1': {'quarantine': {}}, 'dp2': {}}, holding_back=True))
    await store.commit(Transaction(planes={'dp1': None}))
    await store.close()
    loaded = await reopen().open()
    assert (dict(loaded.planes), loaded.holding_back) == ({'dp2': {}}, True)


async def test_a_second_opening_fences_the_first(reopen: Reopen, rows: tuple[StoredObject, ...]) -> None:
    first, second = reopen(), reopen()
    await first.open()
    await second.open()
    with pytest.raises(StoreUnavailable, match='another control plane has taken over with term 2'):
        await first.commit(Transaction(planes={'dp1': {}}))
    await second.commit(Transaction(objects=rows[1:], planes={'dp2': {}}))
    await second.close()
    loaded = await reopen().open()
    assert (loaded.objects, dict(loaded.planes)) == (rows[1:], {'dp2': {}})


async def test_a_term_can_be_raised_beyond_what_others_have_seen(reopen: Reopen) -> None:
    store = reopen()
    await store.open()
    assert await store.raise_term(42) == 42
    assert await store.raise_term(7) == 43
    await store.commit(Transaction(planes={'dp1': {}}))
    await store.close()
    assert (await reopen().open()).term == 44


async def test_a_store_that_is_not_open_refuses(reopen: Reopen) -> None:
    store = reopen()
    with pytest.raises(StoreUnavailable):
        await store.commit(Transaction())
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.commit(Transaction())


async def test_only_so_many_operations_are_kept(reopen: Reopen) -> None:
    store = reopen()
    await store.open()
    for first in range(0, KEPT_OPERATIONS + 2, 167):
        await store.commit(*(Transaction(operation={'id': str(first + number)}) for number in range(167)))
    await store.close()
    loaded = await reopen().open()
    assert [row['id'] for row in loaded.operations] == [str(n) for n in range(2, KEPT_OPERATIONS + 2)]


@pytest.mark.parametrize('kind', ['memory', 'sqlite'])
async def test_several_transactions_are_one(reopen: Reopen) -> None:
    store = reopen()
    await store.open()
    newer = StoredObject(APP.key, {'balance': 'random'}, {'a': 'ü"\n'}, Version(1, 4))
    entries = [Entry(Version(1, seq), 5, 'me', 'put', (), ()) for seq in (2, 3, 4)]
    await store.commit(
        Transaction((APP,), {'dp1': {}}, {'id': 'o1'}, entries[0]),
        Transaction((S1,), {'dp1': None}, {'id': 'o2'}, entries[1]),
        Transaction((newer, StoredObject(S1.key, None, {}, Version(1, 4))), {}, {'id': 'o3'}, entries[2]),
    )
    await store.commit()
    loaded = await reopen().open()
    assert loaded.objects == (newer,)
    assert loaded.planes == {}
    assert [row['id'] for row in loaded.operations] == ['o1', 'o2', 'o3']


def kept(path: Path) -> tuple[int, int]:
    """(rows, bytes) of the audit."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        found: tuple[int, int] = database.execute('SELECT count(*), sum(length(changes)) FROM events').fetchone()
        return found


async def test_large_changes_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, 'KEPT_BYTES', 100_000)
    path = tmp_path / 'sluice.db'
    store = SqliteStore(str(path))
    await store.open()
    for seq in range(2, 22):
        change = S1.key.change({'address': 'x' * 30_000})
        await store.commit(
            Transaction(operation={'id': str(seq)}, entry=Entry(Version(1, seq), 5, 'me', 'put', (change,), ()))
        )
    rows, size = kept(path)
    assert (rows, size < 100_000) == (3, True)
    with pytest.raises(StoreUnavailable, match='UNIQUE'):  # what was rolled back does not count
        await store.commit(
            Transaction(operation={'id': '21'}, entry=Entry(Version(1, 9), 5, 'me', 'put', (change,), ()))
        )
    await store.commit(Transaction(entry=Entry(Version(1, 23), 5, 'me', 'put', ({'x': 'y' * 200_000},), ())))
    assert kept(path)[0] == 1  # the newest, however large
    await store.close()


async def test_a_commit_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / 'sluice.db'), busy_ms=10)
    await store.open()
    other = sqlite3.connect(tmp_path / 'sluice.db')
    other.execute('BEGIN IMMEDIATE')
    with pytest.raises(StoreUnavailable, match='locked'):
        await store.commit(Transaction(objects=(APP,)))
    other.execute('ROLLBACK')
    other.close()
    await store.commit(Transaction(objects=(S1,)))
    await store.commit(Transaction(operation={'id': 'o1'}))
    with pytest.raises(StoreUnavailable, match='UNIQUE'):
        await store.commit(Transaction(objects=(APP,), operation={'id': 'o1'}))
    await store.close()
    store = SqliteStore(str(tmp_path / 'sluice.db'))
    assert (await store.open()).objects == (S1,)
    await store.close()


async def test_only_a_closed_store_is_said_to_be_closed(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / 'sluice.db'))
    await store.open()

    def defect() -> None:
        raise RuntimeError('a defect')

    with pytest.raises(RuntimeError, match='a defect'):
        await store._run(defect)
    asked = asyncio.ensure_future(store.commit(Transaction(objects=(APP,))))
    await asyncio.sleep(0)
    await store.close()
    await asked  # it was asked for before
    with pytest.raises(StoreUnavailable, match='the store is closed'):
        await store.commit(Transaction())
    await store.close()


async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / 'nowhere' / 'sluice.db'))
    with pytest.raises(StoreUnavailable, match=r'nowhere.*unable to open'):
        await store.open()
    await store.close()
    (tmp_path / 'text.db').write_text('this is not a database, but it is long enough to look like a file' * 20)
    store = SqliteStore(str(tmp_path / 'text.db'))
    with pytest.raises(StoreUnavailable, match='not a database'):
        await store.open()
    await store.close()


async def test_another_layout_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / 'sluice.db')
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as database:
        database.execute('UPDATE meta SET layout = 9')
    database.close()
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match='layout 9 is not known'):
        await store.open()
    await store.close()


async def test_a_file_that_was_taken_away_takes_no_more_changes(tmp_path: Path) -> None:
    path = tmp_path / 'sluice.db'
    store = SqliteStore(str(path))
    await store.open()
    kept = path.rename(tmp_path / 'elsewhere.db')
    with pytest.raises(StoreUnavailable, match='No such file'):
        await store.commit(Transaction(objects=(APP,)))
    path.write_bytes(b'')
    with pytest.raises(StoreUnavailable, match='was replaced'):
        await store.commit(Transaction(objects=(APP,)))
    path.unlink()
    kept.rename(path)
    await store.commit(Transaction(objects=(APP,)))
    await store.close()
