"""Statuses and Warnings as they arrive at the fake API server: what is written, when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from controlplane.domain.version import NOTHING
from controlplane.kube.clock import Clock
from controlplane.kube.figures import Told
from controlplane.kube.resources import BACKEND_POLICIES, EVENTS, SERVER_OVERRIDES
from controlplane.kube.status import MANAGER, PER_ROUND, Pacing, Statuses
from controlplane.kube.world import Thing
from dataplane.wire.events import Hello, Status
from tests.integration.harness.waiting import until
from tests.kube.fakeclock import ManualClock
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.kube.reigns import Reign, reign
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_

QUICK = Pacing(pace_s=0.01, figures_s=0.2)
P1, P2 = endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.2', 'p2')
LEAVING = [endpoint(f'10.0.0.{n}', f'p{n}', ready=False, serving=True, terminating=True) for n in (1, 2)]


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        for resource in (BACKEND_POLICIES, SERVER_OVERRIDES):
            running.put(resource, 'shop', {'metadata': {'name': 'web'}, 'spec': {}})
        yield running


@asynccontextmanager
async def telling(
    fake: FakeApiServer, it: Reign, told: Told | None = None, pacing: Pacing = QUICK, clock: Clock | None = None
) -> AsyncIterator[Told]:
    """Statuses of this reign, until this is left."""
    statuses = Statuses(fake.api(), it.source, pacing, told, clock)
    running = asyncio.ensure_future(statuses.keep_up(it.sequencer))
    try:
        yield statuses.told
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def status(fake: FakeApiServer, resource: Any = BACKEND_POLICIES) -> Json:
    found: Json = fake.get(resource, 'shop', 'web').get('status') or {}
    return found


def condition(found: Json, kind: str) -> Json:
    return next(one for one in found['conditions'] if one['type'] == kind)


def patches(fake: FakeApiServer, resource: Any = BACKEND_POLICIES) -> int:
    return len(fake.seen('patch/status', resource))


async def test_a_policys_status_is_written_once_and_again_when_it_says_something_new(fake: FakeApiServer) -> None:
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2)) as it, telling(fake, it) as told:
        await fake.until(lambda: bool(status(fake)))
        assert status(fake)['servers']['summary'] == '2/2'
        assert condition(status(fake), 'Programmed')['reason'] == 'NoDataPlanes'
        assert fake.seen('patch/status', BACKEND_POLICIES)[0].query['fieldManager'] == MANAGER
        before = patches(fake)
        for _ in range(3):
            await it.flushed()
        assert patches(fake) == before, 'nothing new was said'
        it.put(slice_('a', P1, endpoint('10.0.0.2', 'p2', ready=False), rv=2))
        await it.flushed()
        await fake.until(lambda: status(fake)['servers']['summary'] == '1/2')
        assert patches(fake) == before + 1
        await until(lambda: told.written['backendpolicies'] == patches(fake), within=30, what='both are counted')


async def test_what_was_said_before_this_reign_keeps_its_times(fake: FakeApiServer) -> None:
    things = (service(), policy(), slice_('a', P1, P2))
    async with reign(fake.api(), *things) as it, telling(fake, it):
        await fake.until(lambda: bool(status(fake)))
    old = '2020-01-01T00:00:00Z'
    rows = [{**one, 'lastTransitionTime': old} for one in status(fake)['conditions']]
    found = fake.get(BACKEND_POLICIES, 'shop', 'web')
    fake.put(BACKEND_POLICIES, 'shop', {**found, 'status': {**status(fake), 'conditions': rows}})
    before = patches(fake)
    async with reign(fake.api(), *things) as it, telling(fake, it):
        await it.flushed()
        it.put(slice_('a', P1, endpoint('10.0.0.2', 'p2', ready=False), rv=2))
        await it.flushed()
        await fake.until(lambda: patches(fake) > before)
    assert status(fake)['servers']['summary'] == '1/2'
    assert {one['lastTransitionTime'] for one in status(fake)['conditions']} == {old}


async def test_one_that_was_made_anew_under_its_name_is_told_too(fake: FakeApiServer) -> None:
    """As `kubectl replace --force` does it: nobody has seen it gone in between."""
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2)) as it, telling(fake, it):
        await fake.until(lambda: bool(status(fake)))
        fake.remove(BACKEND_POLICIES, 'shop', 'web')
        fake.put(BACKEND_POLICIES, 'shop', {'metadata': {'name': 'web'}, 'spec': {}})
        it.remove(policy())
        it.put(policy(uid='uid-successor', rv=2))
        await it.flushed()
        await fake.until(lambda: status(fake).get('servers', {}).get('summary') == '2/2')


async def test_an_overrides_status_says_which_server_and_in_which_state(fake: FakeApiServer) -> None:
    wish = override('web', pod='p2', spec={'adminState': 'Maint'})
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2), wish) as it, telling(fake, it):
        await fake.until(lambda: bool(status(fake, SERVER_OVERRIDES)))
        found = status(fake, SERVER_OVERRIDES)
        assert (found['server'], found['state']) == ('shop.web.http/p2', 'Maint')
        assert condition(found, 'Drained')['status'] == 'False'


async def test_one_that_was_deleted_meanwhile_is_passed_over_and_another_error_is_said_once(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    fake.remove(BACKEND_POLICIES, 'shop', 'web')
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2)) as it, telling(fake, it) as told:
        await fake.until(lambda: bool(fake.seen('get', BACKEND_POLICIES)))
        await it.flushed()
        assert told.failed['backendpolicies'] == 0
        fake.put(BACKEND_POLICIES, 'shop', {'metadata': {'name': 'web'}, 'spec': {}})
        refused = fake.fail('patch/status', BACKEND_POLICIES, status=500, times=None)
        for _ in range(3):
            used = refused.used
            await it.flushed()
            await fake.until(lambda used=used: refused.used > used)  # type: ignore[misc]
        assert told.failed['backendpolicies'] >= 2
        refused.remove()
        await it.flushed()
        await fake.until(lambda: bool(status(fake)))
    assert caplog.text.count('status of BackendPolicy shop/web') == 1


async def test_a_warning_is_told_once_as_long_as_its_cause_lasts(fake: FakeApiServer) -> None:
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2)) as it, telling(fake, it) as told:
        await fake.until(lambda: bool(status(fake)))
        assert fake.all(EVENTS) == []
        it.put(slice_('a', *LEAVING, rv=2))
        await it.flushed()
        await fake.until(lambda: bool(fake.all(EVENTS)))
        (event,) = fake.all(EVENTS)
        assert (event['type'], event['reason'], event['involvedObject']['name']) == (
            'Warning',
            'TerminatingOnly',
            'web',
        )
        assert event['metadata']['namespace'] == 'shop'
        for rv, more in ((3, 1), (4, 2)):  # two more rounds
            added = [endpoint(f'10.0.1.{n}', f'q{n}', ready=False) for n in range(more)]
            it.put(slice_('a', *LEAVING, *added, rv=rv))
            await it.flushed()
            await fake.until(lambda more=more: status(fake)['servers']['total'] == 2 + more)  # type: ignore[misc]
        assert len(fake.all(EVENTS)) == 1
        await until(lambda: told.written['events'] == 1, within=30, what='it is counted')
        it.put(slice_('a', P1, P2, rv=5))
        await it.flushed()
        await fake.until(lambda: condition(status(fake), 'Ready')['reason'] == 'ServersReady')
        it.put(slice_('a', *LEAVING, rv=6))
        await it.flushed()
        await fake.until(lambda: len(fake.all(EVENTS)) == 2)


async def test_a_removal_that_is_held_is_told_on_its_service(fake: FakeApiServer) -> None:
    pods = [endpoint(f'10.0.0.{n}', f'p{n}') for n in (1, 2, 3, 4)]
    async with reign(fake.api(), service(), policy(), slice_('a', *pods)) as it, telling(fake, it):
        await fake.until(lambda: bool(status(fake)))
        it.put(slice_('a', P1, rv=2))
        it.time.pass_(3_000)
        await it.flushed()
        assert it.source.held
        await it.flushed()
        await fake.until(lambda: any(one['reason'] == 'MassRemovalHeld' for one in fake.all(EVENTS)))
        (event,) = [one for one in fake.all(EVENTS) if one['reason'] == 'MassRemovalHeld']
        assert '3 of 4' in event['message']
        who = {'apiVersion': 'v1', 'kind': 'Service', 'namespace': 'shop', 'name': 'web', 'uid': 'uid-web'}
        assert event['involvedObject'] == who, 'kubectl describe asks by the uid'


async def test_an_event_that_cannot_be_written_holds_nothing_up_and_is_tried_again_while_its_cause_lasts(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with slowly(fake) as one:
        refused = fake.fail('create', EVENTS, status=403, times=None)
        one.it.put(slice_('a', *LEAVING, rv=2))
        await one.it.flushed()
        await one.pass_(1.0)
        await fake.until(lambda: condition(status(fake), 'Ready')['reason'] == 'TerminatingOnly')
        await one.clock.waiting()
        assert refused.used == 1
        one.says(0, local=(('weight', '7'),))  # another note, whose turn comes though the first one fails
        await one.pass_(1.0)
        await one.clock.waiting()
        assert refused.used == 2, 'the first one is left alone for a while'
        await one.clock.advance(10.0)
        await fake.until(lambda: refused.used == 4)
        await one.clock.waiting()
        refused.remove()
        await one.clock.advance(10.0)
        await fake.until(
            lambda: {event['reason'] for event in fake.all(EVENTS)} == {'TerminatingOnly', 'LocalOverride'}
        )
        await one.clock.waiting()
        assert (one.told.failed['events'], one.told.written['events']) == (4, 2)
    assert caplog.text.count('event on Service shop/web') == 2, 'each is said once'


async def test_more_warnings_than_are_written_in_a_round_are_written_in_the_next(fake: FakeApiServer) -> None:
    async with slowly(fake) as one:
        for plane in (f'other-{number}' for number in range(PER_ROUND + 1)):
            one.joins(plane)
            one.says(0, local=(('state', 'drain'),), plane=plane)
        await one.pass_(1.0)
        await fake.until(lambda: len(fake.seen('create', EVENTS)) == PER_ROUND - 1)  # and the policy's status
        await one.clock.waiting()
        assert len(fake.seen('create', EVENTS)) == PER_ROUND - 1
        await one.clock.advance(1.0)
        await fake.until(lambda: len(fake.all(EVENTS)) == PER_ROUND + 1)


async def test_objects_whose_status_is_refused_do_not_keep_the_others_from_theirs(fake: FakeApiServer) -> None:
    """As many as are written in a round, and before the others in their order."""
    names = [f'o-{number:03}' for number in range(PER_ROUND)]
    wishes = [override(name, pod='p1', spec={'adminState': 'Ready'}) for name in (*names, 'z')]
    for name in (*names, 'z'):
        fake.put(SERVER_OVERRIDES, 'shop', {'metadata': {'name': name}, 'spec': {}})
    refused = [fake.fail('patch/status', SERVER_OVERRIDES, name=name, status=422, times=None) for name in names]
    async with slowly(fake, *wishes) as one:
        while not fake.get(SERVER_OVERRIDES, 'shop', 'z').get('status'):
            await one.clock.waiting()
            await one.clock.advance(1.0)
            assert one.clock.now() < 1_009.0, 'the others have waited for those that are refused'
        assert {each.used for each in refused} == {1}


# --- what is put off ------------------------------------------------------------------------------------------------------

SLOW = Pacing(pace_s=1.0, figures_s=10.0)


class Saying:
    """One data plane, which says how things stand there, and the statuses' clock."""

    def __init__(self, fake: FakeApiServer, it: Reign, clock: ManualClock, told: Told) -> None:
        self.fake, self.it, self.clock, self.told = fake, it, clock, told
        self.joins('dp1')

    def joins(self, plane: str) -> None:
        hello = Hello(dp_id=plane, term=0, seq=0, term_seen=0, state_hash='', workers=1)
        self.it.sequencer.convergence.connected(hello, NOTHING, self.it.sequencer.desired, 0)

    def says(self, flight: int, local: tuple[tuple[str, str], ...] = (), plane: str = 'dp1') -> None:
        rows = (('shop.web.http', 'p1', flight, 0, 'UP'),)
        set_there = tuple(('shop.web.http', 'p1', *one) for one in local) or None
        status = Status(term=0, seq=0, servers=rows, local=set_there)
        self.it.sequencer.convergence.reported(plane, status, 0)

    async def pass_(self, seconds: float) -> None:
        """So long, in which every round that is due ends."""
        await self.clock.waiting()  # for the pace, after a round
        await self.clock.advance(seconds)

    async def written(self, flight: int) -> None:
        """Until that many in flight are in the status, with the figures that the round before this one wrote."""
        await self.fake.until(lambda: status(self.fake).get('inFlight') == flight)
        await self.clock.waiting()


@asynccontextmanager
async def slowly(fake: FakeApiServer, *more: Thing) -> AsyncIterator[Saying]:
    """Statuses on a clock that is moved by hand, whose first round, at 1,000 s, has been."""
    async with reign(fake.api(), service(), policy(), slice_('a', P1, P2), *more) as it:
        clock, told = ManualClock(), Told()
        one = Saying(fake, it, clock, told)
        async with telling(fake, it, told, SLOW, clock):
            await one.written(0)
            yield one


async def test_figures_that_changed_within_their_pace_are_written_when_it_is_over_though_nothing_happens(
    fake: FakeApiServer,
) -> None:
    async with slowly(fake) as one:
        before = patches(fake)
        one.says(3)
        await one.pass_(1.0)
        one.says(5)
        await one.pass_(1.0)
        await one.clock.waiting()  # that round has put it off as well
        await one.clock.advance(7.9)
        assert patches(fake) == before
        await one.clock.advance(0.1)  # 10 s after the first one was written
        await one.written(5)
        assert patches(fake) == before + 1


async def test_figures_that_are_again_what_they_were_are_not_written(fake: FakeApiServer) -> None:
    async with slowly(fake) as one:
        before = patches(fake)
        one.says(3)
        await one.pass_(1.0)
        one.says(0)
        await one.pass_(1.0)
        await one.clock.waiting()
        rounds = len(one.clock.pauses)
        await one.clock.advance(60.0)
        assert patches(fake) == before
        assert len(one.clock.pauses) == rounds, 'and nobody looks'


async def test_what_is_more_than_figures_does_not_wait_and_takes_them_along(fake: FakeApiServer) -> None:
    async with slowly(fake) as one:
        one.says(3)
        await one.pass_(1.0)
        one.says(3, local=(('weight', '7'),))
        await one.pass_(1.0)
        await one.written(3)
        assert status(fake)['localOverrides'] == ['dp1: p1 weight 7']
        one.says(4, local=(('weight', '7'),))
        await one.pass_(1.0)
        await one.clock.waiting()
        await one.clock.advance(8.9)  # the ten seconds count from the last write
        assert status(fake)['inFlight'] == 3
        await one.clock.advance(0.2)
        await one.written(4)


async def test_what_could_not_be_written_is_tried_again_though_nothing_happens(fake: FakeApiServer) -> None:
    async with slowly(fake) as one:
        refused = fake.fail('patch/status', BACKEND_POLICIES, status=500, times=1)
        one.says(1, local=(('state', 'drain'),))
        await one.pass_(1.0)
        await fake.until(lambda: refused.used == 1)
        await one.clock.waiting()
        await one.clock.advance(10.0)
        await one.written(1)


async def test_what_was_put_off_for_an_object_that_is_gone_is_forgotten(fake: FakeApiServer) -> None:
    async with slowly(fake) as one:
        before = patches(fake)
        one.says(3)
        await one.pass_(1.0)
        one.it.remove(policy())
        await one.it.flushed()
        await one.pass_(1.0)
        await one.clock.waiting()
        rounds = len(one.clock.pauses)
        await one.clock.advance(60.0)
        assert (patches(fake), len(one.clock.pauses)) == (before, rounds)


# --- what is set elsewhere ---------------------------------------------------------------------------------------------------

STRICTER = 'The stricter of that state and the one wanted here is in force, until it is set to ready on that socket.'
REPLACES = 'in force there in place of what is wanted here, each until it is set back on that socket or another value of it is wanted here.'
ENDS = 'It all ends with the data plane and with the server.'
ALL = [('weight', '7'), ('addr', '10.9.9.9 port 80'), ('state', 'maint'), ('maxconn', '2')]


@pytest.mark.parametrize(
    'local,words,rule',
    [
        ([('state', 'drain')], 'state drain', STRICTER),
        ([('weight', '7')], 'weight 7', f'Its weight is {REPLACES}'),
        (
            ALL,
            'addr 10.9.9.9 port 80, maxconn 2, state maint, weight 7',
            f'{STRICTER} Its address and limit and weight are {REPLACES}',
        ),
    ],
)
async def test_a_warning_says_what_a_setting_on_a_socket_does_and_when_it_ends(
    fake: FakeApiServer, local: list[tuple[str, str]], words: str, rule: str
) -> None:
    async with slowly(fake) as one:
        one.says(0, local=tuple(local))
        await one.pass_(1.0)
        await fake.until(lambda: bool(fake.all(EVENTS)))
        (event,) = fake.all(EVENTS)
        assert event['reason'] == 'LocalOverride'
        said = f'On the socket of data plane dp1, p1 of shop.web.http was set to: {words}. {rule} {ENDS}'
        assert event['message'] == said
