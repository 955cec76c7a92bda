"""Standing for leader over a Lease on the fake API server, with a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.kube.election import ADDRESS, Election, LeaseObject
from controlplane.kube.lease import MAX_TERM, Elector, Times
from controlplane.kube.resources import LEASES
from tests.kube.fakeserver import FakeApiServer

NAMESPACE, NAME = 'sluice', 'sluice-controlplane'
TIMES = Times(lease_ms=15_000, renew_ms=10_000, retry_ms=10)


class Trace:
    """Remembers nothing, or a term."""

    def __init__(self, term: int | None = None) -> None:
        self.term = term

    async def begin(self) -> int | None:
        """What a store would say."""
        found, self.term = self.term, self.term or 0
        return found


class Stand:
    """One control plane, and its clock."""

    def __init__(self, fake: FakeApiServer, name: str, trace: Trace | None = None) -> None:
        self.now = 100_000
        self.name = name
        lease = LeaseObject(fake.api(), NAMESPACE, NAME, f'{name}:8000', TIMES.lease_ms)
        self.election = Election(Elector(name, TIMES), lease, trace or Trace(), lambda: self.now)


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


def lease(fake: FakeApiServer) -> dict[str, Any]:
    return fake.get(LEASES, NAMESPACE, NAME)


async def test_where_nobody_ever_led_it_leads_at_once_and_says_where_it_is(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    assert not one.election.holds()
    assert await one.election.gain() == one.election.term() == 1
    spec = lease(fake)['spec']
    assert (spec['holderIdentity'], spec['leaseTransitions'], spec['leaseDurationSeconds']) == ('a', 1, 15)
    assert spec['renewTime'] == spec['acquireTime']
    assert lease(fake)['metadata']['annotations'] == {ADDRESS: 'a:8000'}
    record = one.election.leader()
    assert record is not None
    assert (record.holder, record.address) == ('a', 'a:8000')


async def test_what_is_remembered_is_gone_beyond(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a', Trace(41))
    looked = asyncio.Event()
    one.election.looked = looked.set
    gaining = asyncio.ensure_future(one.election.gain())
    await asyncio.wait_for(looked.wait(), 30)
    one.now += 10
    while one.election.leader() is None:
        looked.clear()
        await asyncio.wait_for(looked.wait(), 30)
    assert lease(fake)['spec'].get('holderIdentity', '') == '', 'an empty one, since somebody may have led'
    one.now += 15_000
    assert await asyncio.wait_for(gaining, 30) == 42


async def test_a_renewal_keeps_when_it_was_acquired_and_what_others_wrote(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    before = lease(fake)
    fake.put(LEASES, NAMESPACE, {**before, 'metadata': {**before['metadata'], 'labels': {'mine': 'yes'}}})
    keeping = asyncio.ensure_future(one.election.keep())
    await fake.until(lambda: lease(fake)['spec']['renewTime'] != before['spec']['renewTime'])
    after = lease(fake)
    assert after['spec']['acquireTime'] == before['spec']['acquireTime']
    assert after['metadata']['labels'] == {'mine': 'yes'}
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


async def test_a_second_one_waits_and_follows_when_it_lets_go(fake: FakeApiServer) -> None:
    one, two = Stand(fake, 'a'), Stand(fake, 'b')
    await one.election.gain()
    looked = asyncio.Event()
    two.election.looked = looked.set
    gaining = asyncio.ensure_future(two.election.gain())
    await asyncio.wait_for(looked.wait(), 30)
    found = two.election.leader()
    assert found is not None
    assert (found.holder, two.election.holds()) == ('a', False)
    await one.election.release()
    assert not one.election.holds()
    assert await asyncio.wait_for(gaining, 30) == 2
    assert 'term 2' in await one.election.successor()


async def test_a_reign_ends_when_it_cannot_be_renewed_and_the_reason_is_told_once(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    storm = fake.fail('*', LEASES, status=500, times=None)
    keeping = asyncio.ensure_future(one.election.keep())
    await fake.until(lambda: storm.used >= 3)
    assert one.election.holds(), 'not before its time'
    one.now += 10_000
    assert not one.election.holds()
    assert 'could not be renewed in time' in await asyncio.wait_for(keeping, 30)
    assert caplog.text.count('lease: ') == 1


async def test_whoever_finds_another_holder_leads_no_more(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    found = lease(fake)
    fake.put(LEASES, NAMESPACE, {**found, 'spec': {**found['spec'], 'holderIdentity': 'b', 'leaseTransitions': 9}})
    assert 'term 9' in await asyncio.wait_for(one.election.keep(), 30)
    assert one.election.term() == 0
    with pytest.raises(Fenced, match='term 9'):
        await one.election.raise_to(5)


async def test_a_write_whose_answer_is_lost_is_not_believed(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    fake.fault('lose', 'create', LEASES)
    assert await asyncio.wait_for(one.election.gain(), 30) == 2, 'the lost one may have been the first term'


async def test_a_term_is_raised_at_most_to_the_highest(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    assert await one.election.raise_to(40) == one.election.term() == 40
    assert lease(fake)['spec']['leaseTransitions'] == 40
    assert await one.election.raise_to(3) == 41, 'it never falls'
    with pytest.raises(StoreUnavailable):
        await one.election.raise_to(MAX_TERM + 1)
    fake.fail('update', LEASES, status=500)
    with pytest.raises(StoreUnavailable):
        await one.election.raise_to(50)
    assert one.election.holds()
    assert await one.election.raise_to(60) == 60, 'it is read first, since the last write may have been done'


@pytest.mark.parametrize('fault', ['lose', 500])
async def test_after_a_write_of_unknown_outcome_the_lease_is_read_first(fake: FakeApiServer, fault: str | int) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    if isinstance(fault, int):
        fake.fail('update', LEASES, status=fault)
    else:
        fake.fault('lose', 'update', LEASES)
    with pytest.raises(StoreUnavailable):
        await one.election.raise_to(40)
    before = len(fake.requests)
    with suppress(Fenced):  # of a lost answer: its term was begun, and is not ours
        assert await one.election.raise_to(41) == 41
    assert next(seen.verb for seen in fake.requests[before:]) == 'get'


async def test_who_leads_no_more_raises_nothing(fake: FakeApiServer) -> None:
    one = Stand(fake, 'a')
    with pytest.raises(Fenced):
        await one.election.raise_to(5)
    await one.election.gain()
    one.election.resign()
    with pytest.raises(Fenced):
        await one.election.raise_to(5)
    assert lease(fake)['spec']['leaseTransitions'] == 1


async def test_letting_go_empties_the_lease_and_an_api_server_that_is_away_delays_nobody_for_long(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = Stand(fake, 'a')
    await one.election.gain()
    await one.election.release()
    spec = lease(fake)['spec']
    assert (spec['holderIdentity'], spec['leaseTransitions'], spec['leaseDurationSeconds']) == ('', 1, 1)
    again = Stand(fake, 'b')
    assert await again.election.gain() == 2
    fake.fault('hang', 'update', LEASES)
    await asyncio.wait_for(again.election.release(), 30)
    assert 'it will run out' in caplog.text
    assert not again.election.holds()
    assert lease(fake)['spec']['holderIdentity'] == 'b'


async def test_who_lets_go_without_having_led_writes_nothing(fake: FakeApiServer) -> None:
    one, two = Stand(fake, 'a'), Stand(fake, 'b')
    await one.election.gain()
    await two.election.release()
    assert lease(fake)['spec']['holderIdentity'] == 'a'
    assert fake.seen('update', LEASES) == []
