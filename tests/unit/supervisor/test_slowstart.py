"""The tick of servers that warm up: once a second, one revision for all, nothing while there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dataplane.core.changes import AdoptFile, Change, SetAdmin, WarmUp
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import AdminState
from dataplane.supervisor.slowstart import Slowstart
from tests.unit.core.farm import backend, file, server

AT = Layout(workers=1, servers=8, backends=2, frontends=1, entries=4)


class Published:
    """A publisher's door to a real ledger; `held` keeps a submission from ending."""

    def __init__(self) -> None:
        self.ledger = Ledger(AT)
        lines = [server(f's{n}', n, maxconn=100, minconn=100, slowstart=4_000 if n < 3 else 0) for n in (1, 2, 3)]
        self.ledger.adopt(self.ledger.propose(AdoptFile(file(backend('px', 3, *lines)))), 0)
        self.ledger.commit(1)
        self.now = 0
        self.submitted = 0
        self.held = asyncio.Event()
        self.held.set()

    def change(self, *changes: Change) -> None:
        for change in changes:
            self.ledger.apply(change, self.now)  # type: ignore[arg-type]

    async def submit(self, changes: Sequence[Change], *, source: str) -> None:
        assert (list(changes), source) == ([WarmUp()], 'slowstart')
        self.submitted += 1
        self.change(*changes)
        await self.held.wait()

    def limits(self) -> list[int]:
        """LIMIT of all servers, as the next commit says."""
        self.ledger.commit(2)
        return [self.ledger.records[n].limits[0] for n in range(3)]


def restart(name: str) -> tuple[SetAdmin, SetAdmin]:
    return SetAdmin('px', name, AdminState.MAINT), SetAdmin('px', name, AdminState.READY)


async def test_all_that_warm_up_take_a_step_together() -> None:
    publisher = Published()
    slowstart = Slowstart(asyncio.get_running_loop(), publisher)  # type: ignore[arg-type]
    slowstart.start()
    slowstart.tick()
    await asyncio.sleep(0)
    assert (publisher.submitted, publisher.limits()) == (0, [100, 100, 100])
    publisher.change(*restart('s1'), *restart('s2'), *restart('s3'))
    assert publisher.limits() == [1, 1, 100]
    seen = []
    for publisher.now in (1_000, 2_000, 3_500, 4_000, 5_000):
        slowstart.tick()
        await asyncio.sleep(0)
        seen.append(publisher.limits())
    assert seen == [[25, 25, 100], [50, 50, 100], [75, 75, 100], [100, 100, 100], [100, 100, 100]]
    assert publisher.submitted == 4
    slowstart.close()


async def test_a_step_that_takes_long_is_not_overtaken() -> None:
    publisher = Published()
    slowstart = Slowstart(asyncio.get_running_loop(), publisher)  # type: ignore[arg-type]
    publisher.change(*restart('s1'))
    publisher.held.clear()
    for _ in range(3):
        slowstart.tick()
        await asyncio.sleep(0)
    assert publisher.submitted == 1
    publisher.held.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slowstart.tick()
    await asyncio.sleep(0)
    assert publisher.submitted == 2
    slowstart.close()
