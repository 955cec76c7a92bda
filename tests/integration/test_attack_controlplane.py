"""A running control plane under bodies, frames and amounts that nobody sends by mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.push import MAX_TERM
from dataplane.wire.events import Nack
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(f'sqlite:///{tmp_path}/sluice.db') as found:
        yield found


@pytest.mark.parametrize('field', ['node', 'pod', 'zone', 'software'])
async def test_half_a_surrogate_pair_in_a_hello_does_not_break_the_list(control: ControlPlane, field: str) -> None:
    plane = DataPlane('dp1')
    await plane.dial(control.address, **{field: '\ud800'})
    assert plane.socket is not None
    await plane.socket.wait_closed()
    assert plane.socket.close_code == 4400
    answer = await control.client.get('/v1/dataplanes')
    assert answer.status_code == httpx.codes.OK, answer.text


async def test_half_a_surrogate_pair_in_a_nack_does_not_break_the_operation(control: ControlPlane) -> None:
    await control.put_app()
    plane = DataPlane('dp1')
    await plane.dial(control.address)
    await plane.next()
    head = control.plane.sequencer.log.head
    await plane.send(Nack(term=head.term, seq=head.seq, code='\udcff', detail='', applied_term=0, applied_seq=0))
    assert plane.socket is not None
    await plane.socket.wait_closed()
    for path in ('/v1/dataplanes', '/v1/operations'):
        answer = await control.client.get(path)
        assert answer.status_code == httpx.codes.OK, answer.text


async def test_the_highest_term_that_can_be_seen_locks_nobody_out(control: ControlPlane) -> None:
    evil = DataPlane('evil')
    await evil.dial(control.address, term_seen=MAX_TERM)
    await evil.apply()
    assert control.plane.sequencer.log.head.term == MAX_TERM + 1
    await evil.cut()
    good = DataPlane('good')
    await good.dial(control.address, term_seen=MAX_TERM + 1)
    await good.apply()
    await good.cut()


async def test_large_answers_are_not_remembered_by_the_thousand(control: ControlPlane) -> None:
    remembered = control.plane.services.remembered
    await control.put_app(200)
    body: dict[str, Any] = {'selector': {'name': '*'}, 'shutdownSessions': True}
    first = await control.client.post('/v1/servers:bulk', json=body, headers={'Idempotency-Key': '0'})
    remembered._kept_bytes = 3 * len(first.content)
    for number in range(1, 8):
        await control.client.post('/v1/servers:bulk', json=body, headers={'Idempotency-Key': str(number)})
    assert 0 < remembered._bytes <= remembered._kept_bytes
    assert len(remembered._answers) <= 3
    again = await control.client.post('/v1/servers:bulk', json=body, headers={'Idempotency-Key': '7'})
    assert again.headers['idempotency-replayed'] == 'true'
