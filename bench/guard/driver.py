"""`python -m bench.guard.driver STAGE`: serve the rounds of a stage. To be run under callgrind, which dumps at every mark.

What happened before the first mark is start-up and warming up. Between marks come FEW and then MANY rounds; their difference
has neither. The clocks are made to count calls before anything reads them: a timer, a date or a figure per second then
costs the same in every run, however slowly it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import time
from typing import Final

import uvloop

WARM: Final = 6
FEW: Final = 2
MANY: Final = 12

_CALL_NS: Final = 7_000
"""What passes between two looks at the monotonic clock: about ten looks per request, about 70 us per request."""


def mark() -> None:
    """Calls ctermid(3): harmless, and called by nobody else. Callgrind dumps and begins to count anew before it."""
    os.ctermid()


def stop_clocks() -> None:
    """Make the clocks a function of how often they were looked at. By C functions, which cost what the clocks cost."""
    time.monotonic_ns = itertools.count(1_000_000_000_000, _CALL_NS).__next__
    time.time = itertools.count(1_700_000_000.0, 3 * _CALL_NS / 1e9).__next__


async def drive(name: str) -> None:
    # these import the clocks, so only now
    from bench.guard.rig import Rig
    from bench.guard.stages import stage
    from dataplane.worker.collector import Collector

    rig = Rig(stage(name))
    try:
        # as a worker does when it has joined
        Collector()
        gc.collect()
        gc.freeze()
        await rig.rounds(WARM)
        mark()
        await rig.rounds(FEW)
        mark()
        await rig.rounds(MANY)
        mark()
        rig.check_log()
    finally:
        rig.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog='python -m bench.guard.driver', description=__doc__)
    parser.add_argument('stage')
    name = parser.parse_args().stage
    stop_clocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(drive(name))


if __name__ == '__main__':
    main()
