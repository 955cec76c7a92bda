from __future__ import annotations

import asyncio

from controlplane.push import REPLACED
from dataplane.wire import codec
from dataplane.wire.events import Hello
from tests.unit.controlplane.world import ControlPlane


class NotedLink:
    """A link that notes what becomes of it, and takes its time to stop being read."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name, self._notes = name, notes
        self._frames = [codec.encode(Hello(dp_id='dp1', term=0, seq=0, term_seen=0, state_hash='', workers=1))]
        self.sent = asyncio.Event()
        self._never: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def receive(self) -> str | bytes | None:
        if self._frames:
            return self._frames.pop()
        try:
            return await self._never
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            self._notes.append(f'{self._name} is not read')

    async def send(self, text: str) -> None:
        self._notes.append(f'{self._name} is answered')
        self.sent.set()

    async def close(self, code: int, reason: str) -> None:
        self._notes.append(f'{self._name} is closed {code}')


async def test_the_older_of_two_links_is_silent_before_the_newer_is_answered(control: ControlPlane) -> None:
    notes: list[str] = []
    links = [NotedLink(name, notes) for name in ('old', 'skipped', 'new')]
    old, skipped, new = links
    serving = [asyncio.ensure_future(control.plane.hub.serve(old))]
    await old.sent.wait()
    serving += [asyncio.ensure_future(control.plane.hub.serve(link)) for link in (skipped, new)]
    await asyncio.wait_for(new.sent.wait(), 30)
    await asyncio.wait_for(asyncio.gather(*serving[:2]), 30)
    last = max(at for at, note in enumerate(notes) if note.startswith('old') and 'closed' not in note)
    assert notes[last] == 'old is not read'
    assert last < notes.index('new is answered')
    assert notes.count('skipped is answered') == 0
    assert notes.count(f'old is closed {REPLACED}') == notes.count(f'skipped is closed {REPLACED}') == 1
    assert control.plane.sequencer.convergence.planes['dp1'].connected
    await control.plane.hub.close()
    await asyncio.wait_for(serving[2], 30)
