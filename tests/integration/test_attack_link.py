"""Real data planes that are pushed what they cannot take: what is at fault stays out, and everything else goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.harness.planes import ControlPlane, Stage, listen, routed, stage
from tests.integration.harness.waiting import until


@pytest.fixture
async def world() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def _known(control: ControlPlane) -> bool:
    items = (await control.must('GET', '/v1/dataplanes'))['items']
    return bool(items) and items[0]['connected']


async def _linked(world: Stage) -> ControlPlane:
    """A control plane with backend `app`, and a data plane whose own file has `px`, linked."""
    control, up = await world.control_plane(), await world.upstream('s1')
    await control.publish('app', {'s1': up})
    port = world.ports.take()
    sections = routed(port) + listen(world.ports.take(), f's1 127.0.0.1:{up.port}')
    await world.data_plane(sections, port=port, workers=1, control_plane=control.url)
    await until(lambda: _known(control), within=60, what='the data plane is connected')
    return control


async def test_a_route_to_nobody_is_refused_by_name_and_holds_nothing_back(world: Stage) -> None:
    control = await _linked(world)
    answer = await control.request('PUT', '/v1/routes/bad?wait=acked&timeout=30s', {'backend': 'nobody'})
    assert (answer.status_code, answer.json()['state']) == (202, 'refused'), answer.text
    assert "no such backend 'nobody'" in answer.json()['dataplanes'][0]['detail']
    assert (await control.patch('app/s1', '?wait=drained&timeout=30s', adminState='drain')).status_code == 200
    for path, body in (
        ('good', {'backend': 'app', 'pathPrefix': '/a'}),
        ('own', {'backend': 'px', 'pathPrefix': '/p'}),
    ):
        await control.must('PUT', f'/v1/routes/{path}?wait=acked&timeout=30s', body)
    await control.must('PUT', '/v1/backends/nobody?wait=acked&timeout=30s', {})
    (plane,) = (await control.must('GET', '/v1/dataplanes'))['items']
    assert plane['quarantined'] == []


async def test_a_backend_of_the_file_is_refused_and_its_removal_is_not(world: Stage) -> None:
    control = await _linked(world)
    answer = await control.request('PUT', '/v1/backends/px?wait=acked&timeout=30s', {})
    assert (answer.status_code, answer.json()['state']) == (202, 'refused'), answer.text
    await control.must('PUT', '/v1/routes/own?wait=acked&timeout=30s', {'backend': 'px'})
    await control.must('DELETE', '/v1/backends/px?wait=acked&timeout=30s')


async def test_one_prefix_spelt_twice_is_a_conflict(world: Stage) -> None:
    control = await _linked(world)
    await control.must('PUT', '/v1/routes/r1?wait=acked&timeout=30s', {'backend': 'app', 'pathPrefix': '/a'})
    answer = await control.request('PUT', '/v1/routes/r2', {'backend': 'app', 'pathPrefix': '/a/'})
    assert answer.status_code == 409, answer.text
    await control.must('PUT', '/v1/routes/r3?wait=acked&timeout=30s', {'backend': 'app', 'pathPrefix': '/'})
