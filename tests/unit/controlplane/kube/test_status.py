"""Statuses and Warnings as they arrive at the fake API server: what is written, when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from controlplane.kube.figures import Told
from controlplane.kube.resources import BACKEND_POLICIES, EVENTS, SERVER_OVERRIDES
from controlplane.kube.status import MANAGER, Pacing, Statuses
from tests.integration.harness.waiting import until
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
    fake: FakeApiServer, it: Reign, told: Told | None = None, pacing: Pacing = QUICK
) -> AsyncIterator[Told]:
    """Statuses of this reign, until this is left."""
    statuses = Statuses(fake.api(), it.source, pacing, told)
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
        await until(lambda: told.written['backendpolicies'] == patches(fake), within=10, what='both are counted')


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
        await until(lambda: told.written['events'] == 1, within=10, what='it is counted')
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
        assert event['involvedObject'] == {'apiVersion': 'v1', 'kind': 'Service', 'namespace': 'shop', 'name': 'web'}


async def test_an_event_that_cannot_be_written_is_counted_and_holds_nothing_up(fake: FakeApiServer) -> None:
    fake.fail('create', EVENTS, status=403, times=None)
    async with reign(fake.api(), service(), policy(), slice_('a', *LEAVING)) as it, telling(fake, it) as told:
        await fake.until(lambda: bool(fake.seen('create', EVENTS)))
        it.put(slice_('a', P1, P2, rv=2))
        await it.flushed()
        await fake.until(lambda: bool(status(fake)) and condition(status(fake), 'Ready')['reason'] == 'ServersReady')
        assert told.failed['events'] == 1
        assert told.written['events'] == 0
