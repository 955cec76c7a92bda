"""The snapshot in its ConfigMap: whole or not used, only forward, and at most every so often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controlplane.domain.version import NOTHING, Version
from controlplane.kube.bootstrap import DEBOUNCE_S, KEY, Kept, Snapshot, document, parsed
from controlplane.kube.client import ApiError
from controlplane.kube.records import packed, unpacked
from controlplane.kube.resources import CONFIG_MAPS
from dataplane.wire import state as wire
from tests.integration.harness.waiting import until
from tests.kube.fakeclock import ManualClock
from tests.kube.fakeserver import FakeApiServer

NAMESPACE, NAME = 'sluice', 'sluice-controlplane-snapshot'
SPEC = {
    'balance': 'roundrobin', 'retries': 3, 'redispatch': 0, 'fullconn': 0, 'allbackups': False,
    'timeouts': {'connect': None, 'server': None, 'queue': None, 'tunnel': None},
}  # fmt: skip
STATE = wire.fold(wire.empty(), [{'kind': 'backend', 'name': 'shop.web.http', 'spec': SPEC}])


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


def snapshot(fake: FakeApiServer, clock: ManualClock | None = None) -> Snapshot:
    return Snapshot(fake.api(), NAMESPACE, NAME, clock)


def at(seq: int, term: int = 7) -> Kept:
    return Kept(Version(term, seq), STATE, ('shop.web.http',))


def there(fake: FakeApiServer) -> Any:
    return fake.get(CONFIG_MAPS, NAMESPACE, NAME)


def put(fake: FakeApiServer, content: Any) -> None:
    fake.put(CONFIG_MAPS, NAMESPACE, {'metadata': {'name': NAME}, 'binaryData': {KEY: packed(content)}})


# --- the document ------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_read_again_and_has_what_a_data_plane_looks_for() -> None:
    assert parsed(json.loads(json.dumps(document(at(3))))) == at(3)
    assert document(at(3)) == {
        'format': 1, 'term': 7, 'seq': 3, 'state': STATE, 'state_hash': wire.digest(STATE), 'divided': ['shop.web.http'],
    }  # fmt: skip
    assert parsed({**document(at(0, 0))}).version == NOTHING


def test_one_without_divided_backends_has_none() -> None:
    older = document(at(3))
    del older['divided']
    assert parsed(older).divided == ()


@pytest.mark.parametrize(
    'wrong, why',
    [
        ({'format': 2}, 'format'), ({'format': None}, 'format'), ({'term': '7'}, 'whole'), ({'term': True}, 'whole'),
        ({'term': -1}, 'whole'), ({'seq': 1.0}, 'whole'), ({'seq': -1}, 'whole'), ({'seq': None}, 'whole'),
        ({'state': None}, '.'), ({'state': {}}, '.'), ({'state': []}, '.'), ({'state_hash': 'x'}, 'hash'),
        ({'state_hash': None}, 'hash'), ({'state': wire.empty()}, 'hash'),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_none(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parsed({**document(at(3)), **wrong})


@pytest.mark.parametrize('wrong', [None, [], 'text', 7])
def test_what_is_no_document_is_none(wrong: Any) -> None:
    with pytest.raises(ValueError, match='format'):
        parsed(wrong)


# --- reading it --------------------------------------------------------------------------------------------------------


async def test_where_there_is_none_nothing_is_known(fake: FakeApiServer) -> None:
    one = snapshot(fake)
    assert await one.load() is None
    assert one.version == NOTHING


async def test_what_another_kept_is_read(fake: FakeApiServer) -> None:
    assert await snapshot(fake).save(at(3))
    one = snapshot(fake)
    assert await one.load() == at(3)
    assert one.version == Version(7, 3)


async def test_one_that_is_removed_is_forgotten(fake: FakeApiServer) -> None:
    one = snapshot(fake)
    await one.save(at(3))
    fake.remove(CONFIG_MAPS, NAMESPACE, NAME)
    assert await one.load() is None
    assert one.version == NOTHING
    assert await one.save(at(2)), 'it may begin again where the others are'


async def test_not_being_able_to_read_is_no_empty_snapshot(fake: FakeApiServer) -> None:
    fake.fail('get', CONFIG_MAPS, status=500)
    with pytest.raises(ApiError):
        await snapshot(fake).load()


async def test_what_cannot_be_used_is_said_and_may_be_replaced(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    put(fake, {**document(at(9)), 'state_hash': 'x'})
    one = snapshot(fake)
    assert await one.load() is None
    assert 'sluice/sluice-controlplane-snapshot: the snapshot is not used' in caplog.text
    assert await one.save(at(3))
    assert unpacked(there(fake)['binaryData'][KEY])['seq'] == 3


async def test_a_config_map_without_one_has_none(fake: FakeApiServer) -> None:
    fake.put(CONFIG_MAPS, NAMESPACE, {'metadata': {'name': NAME}, 'data': {'other': 'x'}})
    one = snapshot(fake)
    assert await one.load() is None
    assert await one.save(at(1))


# --- keeping it --------------------------------------------------------------------------------------------------------


async def test_it_is_kept_whole_and_in_words(fake: FakeApiServer) -> None:
    one = snapshot(fake)
    assert await one.save(at(3))
    found = there(fake)
    assert parsed(unpacked(found['binaryData'][KEY])) == at(3)
    assert found['data'] == {'version': '7.3'}
    assert found['metadata']['labels'] == {'app.kubernetes.io/managed-by': 'sluice-controlplane'}
    assert (one.version, one.written, one.failed) == (Version(7, 3), 1, 0)
    assert await one.save(at(4))
    assert there(fake)['data'] == {'version': '7.4'}
    assert one.written == 2
    assert len(fake.seen('get', CONFIG_MAPS)) == 0, 'what it wrote it need not read'


async def test_an_earlier_one_never_replaces_a_later_one(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    one = snapshot(fake)
    await one.save(at(3))
    for older in (at(3), at(2), at(9, 6)):
        assert not await one.save(older)
    assert there(fake)['data'] == {'version': '7.3'}
    assert (one.written, one.failed) == (1, 3)
    assert 'it holds 7.3, which is later than 7.2' in caplog.text
    assert await one.save(at(1, 8)), 'a later term is later'


async def test_what_another_kept_meanwhile_is_replaced_only_by_something_later(fake: FakeApiServer) -> None:
    one, other = snapshot(fake), snapshot(fake)
    await one.save(at(3))
    await other.load()
    await other.save(at(5))
    assert not await one.save(at(4))
    assert there(fake)['data'] == {'version': '7.5'}
    assert one.version == Version(7, 5)
    assert await one.save(at(6))
    assert there(fake)['data'] == {'version': '7.6'}


async def test_one_that_another_made_at_the_same_moment_is_replaced(fake: FakeApiServer) -> None:
    one, other = snapshot(fake), snapshot(fake)
    await other.save(at(2))
    assert await one.save(at(3))
    assert there(fake)['data'] == {'version': '7.3'}


async def test_one_that_was_removed_is_made_again(fake: FakeApiServer) -> None:
    one = snapshot(fake)
    await one.save(at(3))
    fake.remove(CONFIG_MAPS, NAMESPACE, NAME)
    assert await one.save(at(4))
    assert there(fake)['data'] == {'version': '7.4'}


async def test_after_three_conflicts_it_is_given_up(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    one = snapshot(fake)
    await one.save(at(1))
    conflict = fake.fail('update', CONFIG_MAPS, status=409, times=None)
    assert not await one.save(at(2))
    assert conflict.used == 3
    assert 'somebody else changes it all the time' in caplog.text
    assert there(fake)['data'] == {'version': '7.1'}


async def test_the_same_reason_is_said_once_until_it_worked(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = snapshot(fake)
    for _ in range(2):
        refused = fake.fail('create', CONFIG_MAPS, status=403, times=2)
        assert not await one.save(at(1))
        assert not await one.save(at(1))
        assert caplog.text.count('is not kept') == 1
        caplog.clear()
        refused.remove()
        assert await one.save(at(1))
        fake.remove(CONFIG_MAPS, NAMESPACE, NAME)
        await one.load()
    assert (one.written, one.failed) == (2, 4)


# --- at most every so often ----------------------------------------------------------------------------------------------


class Keeping:
    """A snapshot that is kept up, on a clock that is moved by hand."""

    def __init__(self, fake: FakeApiServer) -> None:
        self.fake, self.clock, self.changed, self.head = fake, ManualClock(), asyncio.Event(), 0
        self.snapshot = snapshot(fake, self.clock)

    def change(self) -> None:
        self.head += 1
        self.changed.set()

    async def pauses(self, count: int) -> list[float]:
        """What was slept for, once it was so many times."""
        await self.until(lambda: len(self.clock.pauses) >= count)
        return self.clock.pauses

    async def until(self, true: Callable[[], bool]) -> None:
        """Also of what no request tells."""
        await until(true, within=10, what='the snapshot')


@asynccontextmanager
async def keeping(fake: FakeApiServer, debounce_s: float = DEBOUNCE_S) -> AsyncIterator[Keeping]:
    of = Keeping(fake)
    task = asyncio.ensure_future(of.snapshot.keep_up(lambda: at(of.head), of.changed, debounce_s))
    try:
        yield of
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_change_is_kept_at_once_and_the_next_ones_together_when_the_time_is_over(
    fake: FakeApiServer,
) -> None:
    async with keeping(fake) as of:
        of.change()
        await of.until(lambda: of.snapshot.written == 1)
        assert await of.pauses(1) == [0.0]
        of.change()
        assert (await of.pauses(2))[1] == DEBOUNCE_S
        await of.clock.advance(DEBOUNCE_S - 0.1)
        of.change()
        assert of.snapshot.version == Version(7, 1)
        await of.clock.advance(0.1)
        await of.until(lambda: of.snapshot.written == 2)
        assert of.snapshot.version == Version(7, 3)
        await of.clock.advance(3.0)
        of.change()
        assert (await of.pauses(3))[2] == pytest.approx(DEBOUNCE_S - 3.0), 'it counts from the last one'


async def test_what_is_kept_already_is_not_kept_again(fake: FakeApiServer) -> None:
    async with keeping(fake) as of:
        of.change()
        await of.until(lambda: of.snapshot.written == 1)
        of.changed.set()
        await of.pauses(2)
        await of.clock.advance(DEBOUNCE_S)
        await of.until(lambda: not of.changed.is_set())
        of.changed.set()
        await of.pauses(3)
        assert (of.snapshot.written, of.snapshot.failed) == (1, 0)


@pytest.mark.parametrize('debounce_s, pause', [(60.0, 5.0), (2.0, 2.0)])
async def test_what_could_not_be_kept_is_tried_again_without_a_change(
    fake: FakeApiServer, debounce_s: float, pause: float
) -> None:
    fake.fail('create', CONFIG_MAPS, status=500)
    async with keeping(fake, debounce_s) as of:
        of.change()
        await of.until(lambda: of.snapshot.failed == 1)
        assert await of.pauses(2) == [0.0, pause]
        await of.clock.advance(pause)
        assert (await of.pauses(3))[2] == debounce_s
        await of.clock.advance(debounce_s)
        await of.until(lambda: of.snapshot.written == 1)
