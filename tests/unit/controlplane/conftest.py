"""Fixtures: a running control plane, and data planes that dial it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.controlplane.world import ControlPlane, DataPlane, Dial, control_plane


@pytest.fixture
def store_path(tmp_path: Path) -> str:
    return f'sqlite:///{tmp_path}/sluice.db'


@pytest.fixture
async def control(store_path: str) -> AsyncIterator[ControlPlane]:
    async with control_plane(store_path) as found:
        yield found


@pytest.fixture
async def dial(control: ControlPlane) -> AsyncIterator[Dial]:
    """Make a data plane and connect it; its first snapshot is applied unless `first` is False."""
    made: list[DataPlane] = []

    async def make(name: str = 'dp1', *, first: bool = True, **hello: Any) -> DataPlane:
        plane = DataPlane(name)
        made.append(plane)
        await plane.dial(control.address, **hello)
        if first:
            await plane.apply()
            await control.until(
                lambda: control.plane.sequencer.convergence.planes[name].acked == (plane.term, plane.seq)
            )
        return plane

    yield make
    for plane in made:
        await plane.cut()
