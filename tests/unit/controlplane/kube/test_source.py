"""What a reign does by itself when time passes: sessions of servers on their way out end, overrides without a server go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.domain.desired import Key
from controlplane.kube.client import Api
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.kube.reigns import WALL, reign
from tests.unit.controlplane.kube.things import Json, endpoint, override, policy, service, slice_
from tests.unit.controlplane.kube.translated import HTTP

SHUTDOWN: Json = {'drain': {'timeout': '9s', 'onDeadline': 'Shutdown'}}
LEAVING = endpoint('10.0.0.1', 'p1', ready=False, terminating=True)
P2 = endpoint('10.0.0.2', 'p2')


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Nothing is asked of it: the world is filled by hand."""
    async with FakeApiServer() as fake:
        yield fake.api()


async def test_a_policys_deadline_ends_the_sessions_of_a_server_that_leaves(api: Api) -> None:
    async with reign(api, service(), policy(spec=SHUTDOWN), slice_('a', LEAVING, P2)) as it:
        it.time.pass_(8_000)
        await it.flushed()
        assert it.generation(HTTP, 'p1') == 0, 'it has a second left'
        it.time.pass_(1_000)
        await it.flushed()
        ended = it.generation(HTTP, 'p1')
        assert WALL + 9_000 <= ended <= it.time.wall
        assert it.generation(HTTP, 'p2') == 0
        it.time.pass_(60_000)
        await it.flushed()
        assert it.generation(HTTP, 'p1') == ended, 'once is enough, and it does not fall'


async def test_a_policy_that_keeps_ends_none(api: Api) -> None:
    async with reign(api, service(), policy(), slice_('a', LEAVING, P2)) as it:
        it.time.pass_(10**7)
        await it.flushed()
        assert it.generation(HTTP, 'p1') == 0


async def test_an_overrides_deadline_is_a_date_and_ends_them_without_any_other_change(api: Api) -> None:
    wish = override('o', pod='p2', spec={'adminState': 'Drain', 'deadline': '2026-01-01T00:01:00Z'})
    async with reign(api, service(), policy(spec=SHUTDOWN), slice_('a', endpoint('10.0.0.1', 'p1'), P2), wish) as it:
        it.time.pass_(59_000)
        await it.flushed()
        assert it.generation(HTTP, 'p2') == 0, "nor by the policy's span, which it stands in for"
        it.time.pass_(1_000)
        await it.flushed(by_change=False)
        assert it.generation(HTTP, 'p2') >= WALL + 60_000
        assert it.generation(HTTP, 'p1') == 0


async def test_another_reign_counts_spans_anew_and_dates_not(api: Api) -> None:
    async with reign(api, service(), policy(spec=SHUTDOWN), slice_('a', LEAVING, P2)) as first:
        first.time.pass_(8_000)
        await first.flushed()
    async with reign(api, after=first) as second:
        second.time.pass_(5_000)
        await second.flushed()
        assert second.generation(HTTP, 'p1') == 0, 'sessions may get longer, never less'
        second.time.pass_(4_000)
        await second.flushed()
        assert second.generation(HTTP, 'p1') > 0
    wish = override('o', pod='p2', spec={'adminState': 'Drain', 'deadline': '2025-12-31T00:00:00Z'})
    async with reign(api, wish, after=second) as third:
        assert third.generation(HTTP, 'p2') > 0, 'a date in the past is due at once'


async def test_an_override_whose_server_is_gone_is_deleted_after_a_while_and_not_before(api: Api) -> None:
    wish = override('o', pod='p1', spec={'adminState': 'Drain'})
    start = (service(), policy(), slice_('a', endpoint('10.0.0.1', 'p1'), P2, endpoint('10.0.0.3', 'p3')), wish)
    async with reign(api, *start, gone_ms=5_000) as it:
        it.put(slice_('a', P2, endpoint('10.0.0.3', 'p3'), rv=2))
        it.time.pass_(2_000)  # longer than an endpoint may be between two slices
        await it.flushed()
        assert Key('server', 'p1', HTTP) not in it.sequencer.desired.versions
        it.time.pass_(4_000)
        await it.flushed()
        assert it.discarded == []
        it.time.pass_(1_500)
        await it.flushed()
        await it.flushed()
        assert {one.meta.name for one in it.discarded} == {'o'}


async def test_deleting_what_is_gone_holds_nothing_up_and_is_not_hurried(api: Api) -> None:
    """Some webhook may take its time for each of them."""
    wish = override('o', pod='p1', spec={'adminState': 'Drain'})
    async with reign(api, service(), policy(), slice_('a', endpoint('10.0.0.1', 'p1'), P2), wish, gone_ms=5_000) as it:
        it.stuck = asyncio.Event()
        it.put(slice_('a', P2, rv=2))
        it.time.pass_(2_000)
        await it.flushed()
        it.time.pass_(6_000)
        await it.flushed()
        it.put(slice_('a', endpoint('10.0.0.2', 'p2', ready=False), rv=3))
        await it.flushed()
        await it.flushed()
        state: Any = it.sequencer.desired.spec(Key('server', 'p2', HTTP))
        assert state['adminState'] == 'maint'
        assert [one.meta.name for one in it.discarded] == ['o'], 'one question at a time'


async def test_while_a_removal_is_held_no_override_is_deleted(api: Api) -> None:
    """Its servers may be there again with the next list."""
    wish = override('o', pod='p1', spec={'adminState': 'Drain'})
    pods = [endpoint(f'10.0.0.{n}', f'p{n}') for n in (1, 2, 3, 4)]
    async with reign(api, service(), policy(), slice_('a', *pods), wish, gone_ms=1_000) as it:
        it.put(slice_('a', P2, rv=2))
        it.time.pass_(3_000)
        await it.flushed()
        assert it.source.held == {HTTP: (3, 4)}
        it.time.pass_(60_000)
        await it.flushed()
        assert it.discarded == []
        assert Key('server', 'p1', HTTP) in it.sequencer.desired.versions


async def test_a_date_that_was_kept_is_not_due_again_in_another_reign(api: Api) -> None:
    """What was opened after it, as a persistent stream that goes on coming, is not cut by a change of leaders."""
    wish = override('o', pod='p2', spec={'adminState': 'Drain', 'deadline': '2025-12-31T00:00:00Z'})
    async with reign(api, service(), policy(), slice_('a', P2), wish) as first:
        ended = first.generation(HTTP, 'p2')
        assert ended >= WALL
        first.time.pass_(5_000)
    async with reign(api, after=first, inherits=True) as second:
        second.time.pass_(5_000)
        await second.flushed()
        assert second.generation(HTTP, 'p2') == ended


async def test_sessions_end_also_when_the_generation_is_ahead_of_this_ones_clock(api: Api) -> None:
    wish = override('o', pod='p1', spec={'sessionGeneration': WALL + 3_600_000})
    async with reign(api, service(), policy(spec=SHUTDOWN), slice_('a', LEAVING, P2), wish) as it:
        it.time.pass_(9_000)
        await it.flushed()
        ended = it.generation(HTTP, 'p1')
        assert ended > WALL + 3_600_000
        it.time.pass_(60_000)
        await it.flushed()
        assert it.generation(HTTP, 'p1') == ended


async def test_a_generation_that_cannot_rise_holds_up_nothing_else(api: Api) -> None:
    wish = override('o', pod='p1', spec={'sessionGeneration': 2**62})
    async with reign(api, service(), policy(spec=SHUTDOWN), slice_('a', LEAVING, P2), wish) as it:
        it.time.pass_(9_000)
        it.put(slice_('a', LEAVING, endpoint('10.0.0.2', 'p2', ready=False), rv=2))
        await it.flushed()
        state: Any = it.sequencer.desired.spec(Key('server', 'p2', HTTP))
        assert (it.generation(HTTP, 'p1'), state['adminState']) == (2**62, 'maint')
