"""The doors that people and their tools come in by, put together and opened: figures, runtime protocol, statistics.

Part of the composition root (`supervisor.dataplane`): it has made everything these are built of, and closes what is opened here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dataplane.supervisor.aids import Surroundings
from dataplane.supervisor.checkfigures import CheckFigures
from dataplane.supervisor.clearing import Clearing
from dataplane.supervisor.clisocket import CliServer
from dataplane.supervisor.figures import Figures, Identity, Supervision
from dataplane.supervisor.infofigures import total_sent
from dataplane.supervisor.memory import pools
from dataplane.supervisor.pagedesk import PageDesk
from dataplane.supervisor.pulse import Pulse
from dataplane.supervisor.statsfile import KeptCounters
from dataplane.supervisor.verbs import Verbs
from dataplane.supervisor.workerpages import WorkerPages

if TYPE_CHECKING:
    from dataplane.board import Board
    from dataplane.core.ledger import Ledger
    from dataplane.core.model import Global, StatsListener
    from dataplane.health.checker import Checker
    from dataplane.supervisor.frontdoors import FrontDoors
    from dataplane.supervisor.health import Condition
    from dataplane.supervisor.holds import Holds
    from dataplane.supervisor.outages import Outages
    from dataplane.supervisor.publish import Publisher
    from dataplane.supervisor.statspage import StatsServer
    from dataplane.supervisor.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What there is to be shown and changed."""

    board: Board
    ledger: Ledger
    publisher: Publisher
    workers: Workers
    holds: Holds
    checker: Checker
    outages: Outages
    doors: FrontDoors
    around: Surroundings
    settings: Callable[[], Global]
    supervision: Callable[[], Supervision]
    condition: Callable[[], Condition]


def monotonic_ms() -> int:
    """The clock of everything in a data plane."""
    return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class Opened:
    """The figures, and the doors, which are to be closed."""

    figures: Figures
    verbs: Verbs
    cli: CliServer
    kept: KeptCounters
    pulse: Pulse
    stats: StatsServer | None = None
    master: CliServer | None = None

    async def close(self) -> None:
        """Close what is open."""
        self.pulse.close()
        for door in (self.master, self.cli, self.stats):
            if door is not None:
                await door.close()


def prepare(house: House, identity: Identity) -> Opened:
    """Put it all together; nothing is open yet."""
    board, ledger = house.board, house.ledger
    pulse = Pulse(
        asyncio.get_running_loop(),
        partial(total_sent, board.cells, board.layout),
        lambda: tuple(house.workers.pids.values()),
    )
    checks = CheckFigures(ledger, house.checker.watches, monotonic_ms)
    figures = Figures(
        cells=board.cells,
        layout=board.layout,
        tables=lambda: ledger.tables,
        identity=identity,
        supervision=house.supervision,
        clock=monotonic_ms,
        wall=time.time,
        checks=checks,
        outages=house.outages,
        doors=house.doors.state,
        beat=pulse.beat,
    )
    clearing = Clearing(
        board.cells,
        board.layout,
        ledger,
        holds=house.holds,
        workers=house.workers,
        checks=checks,
        outages=house.outages,
    )
    verbs = Verbs(
        publisher=house.publisher,
        workers=house.workers,
        figures=figures,
        counters=clearing,
        doors=house.doors,
        around=house.around,
        pools=lambda: pools(board.cells, board.layout, ledger.tables),
        wall_ms=lambda: time.time_ns() // 1_000_000,
    )
    kept = KeptCounters(board.cells, board.layout, ledger, checks=checks, outages=house.outages, wall=time.time)
    return Opened(figures, verbs, CliServer(verbs, settings=house.settings, uptime=figures.uptime_s), kept, pulse)


async def open_doors(opened: Opened, house: House, listeners: tuple[StatsListener, ...]) -> None:
    """Open them, when counters are what they were. Raises CannotListen; what is open by then is closed with the rest."""
    if house.settings().stats_file:
        await opened.kept.restore(house.settings().stats_file, house.workers.log)
    desk = PageDesk(opened.figures, opened.verbs, partial(house.workers.log, 'notice'))
    house.workers.asked = WorkerPages(desk, lambda: house.ledger.tables, house.workers.send).answer
    if listeners:
        from dataplane.supervisor.statspage import serve_stats  # imported before there was a loop, if it is needed

        opened.stats = await serve_stats(listeners, opened.figures, desk, house.condition)
    await opened.cli.start(house.settings().stats_sockets)
