"""Takes the board's lock at random instants, as a worker would, and writes down how long that took.

Instants with exponential gaps see what any arrival would see, so this is the distribution of a worker's waits without a
clock being read in a worker. The hold itself is empty: nothing is decided, no cell is looked at.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from typing import Final

from dataplane.board import Board
from dataplane.core.layout import Layout

MEAN_GAP_S: Final = 0.002


def main(words: list[str]) -> int:
    """`FD LAYOUT`, the latter as JSON; prints a line once it watches, goes on until its standard input ends, and then
    prints the waits (us) as JSON.
    """
    board = Board.attach(int(words[0]), Layout(**json.loads(words[1])))
    waits: list[float] = []
    while not select.select([sys.stdin], [], [], random.expovariate(1 / MEAN_GAP_S))[0]:
        asked = time.perf_counter_ns()
        torn = board.lock()
        taken = time.perf_counter_ns()
        if torn:
            os.abort()  # a worker died inside its hold: the next owner repairs, which is not for this one
        board.unlock()
        waits.append((taken - asked) / 1_000)
        if len(waits) == 1:
            print('watching', flush=True)
    print(json.dumps(waits))
    return 0


if __name__ == '__main__':
    raise SystemExit(main(sys.argv[1:]))
