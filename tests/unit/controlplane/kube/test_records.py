"""What a control plane remembers in its ConfigMap: all of it or nothing, and never over a later term's."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.kube.client import ApiError
from controlplane.kube.records import MAX_BYTES, Records, packed, unpacked
from controlplane.kube.resources import CONFIG_MAPS
from tests.kube.fakeserver import FakeApiServer

NAMESPACE, NAME, DATA = 'sluice', 'sluice-controlplane', 'records.json.gz'


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


def records(fake: FakeApiServer) -> Records:
    return Records(fake.api(), NAMESPACE, NAME)


def kept(fake: FakeApiServer) -> dict[str, Any]:
    found = fake.get(CONFIG_MAPS, NAMESPACE, NAME)
    return {**unpacked(found['binaryData'][DATA]), 'in words': found['data']['term']}


def test_what_is_packed_is_unpacked_and_nothing_else_is() -> None:
    assert unpacked(packed({'a': [1, 'ä']})) == {'a': [1, 'ä']}
    whole = base64.b64decode(packed({'a': 1}))
    for wrong in (
        '', '???', f'{packed({})}!', base64.b64encode(b'no gzip').decode(), base64.b64encode(whole[:-4]).decode(),
        base64.b64encode(gzip.compress(b'{')).decode(), base64.b64encode(gzip.compress(b'[' * 200_000)).decode(),
    ):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            unpacked(wrong)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match='too large'):
        unpacked(base64.b64encode(gzip.compress(b' ' * (65 * 1024 * 1024))).decode())


async def test_only_the_first_is_told_that_nobody_has_led(fake: FakeApiServer) -> None:
    assert await records(fake).begin() is None
    assert await records(fake).begin() == 0
    one = records(fake)
    await one.claim(7)
    assert await records(fake).begin() == 7
    fake.fail('create', CONFIG_MAPS, status=500)
    with pytest.raises(ApiError):
        await records(fake).begin()


async def test_what_was_written_is_what_the_next_term_finds(fake: FakeApiServer) -> None:
    one = records(fake)
    assert await one.claim(3) == {}
    await one.write({'planes': {'dp1': {}}})
    assert kept(fake) == {'planes': {'dp1': {}}, 'term': 3, 'format': 1, 'in words': '3'}
    two = records(fake)
    found = await two.claim(4)
    assert found['planes'] == {'dp1': {}}
    assert kept(fake)['term'] == 4
    assert kept(fake)['planes'] == {'dp1': {}}, 'claiming loses nothing'
    with pytest.raises(Fenced, match='term 4'):
        await one.write({'planes': {}})
    with pytest.raises(Fenced, match='term 4'):
        await records(fake).claim(3)
    assert kept(fake)['planes'] == {'dp1': {}}


async def test_a_change_by_hand_is_written_over_and_a_deleted_one_is_made_anew(fake: FakeApiServer) -> None:
    one = records(fake)
    await one.claim(3)
    found = fake.get(CONFIG_MAPS, NAMESPACE, NAME)
    fake.put(CONFIG_MAPS, NAMESPACE, {**found, 'metadata': {**found['metadata'], 'labels': {'mine': 'yes'}}})
    await one.write({'x': 1})
    assert kept(fake)['x'] == 1
    fake.remove(CONFIG_MAPS, NAMESPACE, NAME)
    await one.write({'x': 2})
    assert kept(fake)['x'] == 2


async def test_one_that_changes_all_the_time_is_given_up(fake: FakeApiServer) -> None:
    one = records(fake)
    await one.claim(3)
    fake.fail('update', CONFIG_MAPS, status=409, times=None)
    with pytest.raises(StoreUnavailable, match='all the time'):
        await one.write({'x': 1})


async def test_content_that_cannot_be_read_is_begun_anew_and_said(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    for content in ('bm8=', base64.b64encode(gzip.compress(b'[1]')).decode(), packed({'format': 99})):
        fake.put(CONFIG_MAPS, NAMESPACE, {
            'metadata': {'name': NAME}, 'data': {'term': 'soon'}, 'binaryData': {DATA: content},
        })  # fmt: skip
        caplog.clear()
        assert await records(fake).claim(5) == {}
        assert 'begun anew' in caplog.text
        assert kept(fake)['term'] == 5
        fake.remove(CONFIG_MAPS, NAMESPACE, NAME)


@pytest.mark.parametrize('verb', ['get', 'update'])
@pytest.mark.parametrize('fault', ['reset', 500])
async def test_what_was_not_done_is_said_to_be_unavailable(fake: FakeApiServer, verb: str, fault: str | int) -> None:
    await records(fake).claim(3)
    one = records(fake)
    if isinstance(fault, int):
        struck = fake.fail(verb, CONFIG_MAPS, status=fault, times=None)
    else:
        struck = fake.fault('reset', verb, CONFIG_MAPS, times=None)
    with pytest.raises(StoreUnavailable, match=NAME):
        await one.claim(4)
    struck.remove()
    await one.claim(5)
    assert kept(fake)['term'] == 5


async def test_more_than_a_config_map_holds_is_refused_and_what_is_there_stays(fake: FakeApiServer) -> None:
    one = records(fake)
    await one.claim(3)
    noise = ''.join(chr(33 + (n * n * 7919 + n * 31) % 90) + str(hash((n, 'x')) % 997) for n in range(MAX_BYTES))
    with pytest.raises(StoreUnavailable, match='more than'):
        await one.write({'noise': noise})
    assert 'noise' not in kept(fake)
