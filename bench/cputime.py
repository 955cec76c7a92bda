"""CPU time of a process and all its descendants, from /proc.

The total is the scheduler's own account of every thread (/proc/PID/task/TID/schedstat, nanoseconds; /proc/PID/stat where the
kernel keeps none, 10 ms). The kernel divides it into user and system by what its timer tick finds running, so
that division is a sample: with N ticks it is uncertain by about 1/sqrt(N).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf('SC_CLK_TCK')


@dataclass(frozen=True)
class Times:
    """Nanoseconds since the process began."""

    total: int
    user: int
    system: int


class Gone(Exception):
    """A process of the tree ended while it was measured."""


def parse_stat(text: str) -> tuple[int, int, int]:
    """(parent, user ticks, system ticks) of a /proc/PID/stat line; the name in it may hold blanks and brackets."""
    fields = text[text.rindex(')') + 2 :].split()
    return int(fields[1]), int(fields[11]), int(fields[12])


def parse_schedstat(text: str) -> int:
    """Nanoseconds on a core."""
    return int(text.split(maxsplit=1)[0])


def tree(root: int) -> list[int]:
    """`root` and its descendants that are alive now, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                parent = parse_stat(Path(f'/proc/{entry}/stat').read_text())[0]
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended since the directory was listed: not part of any tree any more
            children.setdefault(parent, []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _one(pid: int) -> Times:
    _, user, system = parse_stat(Path(f'/proc/{pid}/stat').read_text())
    total = 0
    for thread in os.listdir(f'/proc/{pid}/task'):
        try:
            total += parse_schedstat(Path(f'/proc/{pid}/task/{thread}/schedstat').read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that ended; the larger of the two accounts below has its time
    return Times(max(total, (user + system) * TICK_NS), user * TICK_NS, system * TICK_NS)


def read(root: int) -> dict[int, Times]:
    """The whole tree by process."""
    try:
        return {pid: _one(pid) for pid in tree(root)}
    except (FileNotFoundError, ProcessLookupError) as gone:
        raise Gone(f'a process ended while it was measured: {gone}') from gone


def between(before: dict[int, Times], after: dict[int, Times]) -> Times:
    """What the tree used in between. A process that is gone took its account with it: that is no measurement."""
    if lost := sorted(before.keys() - after.keys()):
        raise Gone(f'processes ended under load: {lost}')
    zero = Times(0, 0, 0)
    pairs = [(before.get(pid, zero), times) for pid, times in after.items()]
    return Times(
        total=sum(late.total - early.total for early, late in pairs),
        user=sum(late.user - early.user for early, late in pairs),
        system=sum(late.system - early.system for early, late in pairs),
    )
