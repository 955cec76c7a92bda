"""Texts of the commands that show inner workings: `show events`, `show activity`, `show tasks`, `show pools`, `show threads`, ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dataplane.cli.session import Complaint

_OPTIONS: Final = {'w': 'w', 'n': 'n', '0': 'z'}


@dataclass(frozen=True, slots=True)
class Pool:
    """Things of one size that are kept: how many there are, how many of them are in use. `size` in bytes."""

    name: str
    size: int
    allocated: int
    used: int


def show_env(environment: Mapping[str, str], name: str) -> str:
    """`show env [NAME]`. Raises Complaint when there is no such variable."""
    if not name:
        return '\n'.join(f'{key}={value}' for key, value in environment.items())
    if name not in environment:
        raise Complaint('Variable not found')
    return f'{name}={environment[name]}'


def show_sinks(rings: Iterable[tuple[str, str]]) -> str:
    """`show events` alone: what may be named. `rings`: those in memory, each with its description."""
    return '\n'.join((
        'Supported events sinks are listed below. Add -w(wait), -n(new), -0(NUL after each event). Any key to stop',
        '    stdout     : type=fd, 0 dropped, standard output (fd#1)',
        '    stderr     : type=fd, 0 dropped, standard output (fd#2)',
        *(f'    {name:<10} : type=buffer, 0 dropped, {description}' for name, description in rings),
    ))  # fmt: skip


def event_options(words: Iterable[str]) -> frozenset[str]:
    """Options of `show events SINK`: 'w', 'n' and 'z' (for -0), alone or together as in `-wn`. Raises Complaint."""
    found: set[str] = set()
    for word in words:
        letters = word[1:]
        if not word.startswith('-') or not letters or any(letter not in _OPTIONS for letter in letters):
            raise Complaint('unknown option')
        found.update(_OPTIONS[letter] for letter in letters)
    return frozenset(found)


def show_activity(workers: Sequence[Mapping[str, int]], wall: float) -> Iterable[str]:
    """Per figure the sum over the workers and each one's own; for the longest pause the longest."""
    yield f'thread_id: 1 (1..{len(workers)})'
    yield f'date_now: {wall:.6f}'
    for name in workers[0] if workers else ():
        values = [worker.get(name, 0) for worker in workers]
        whole = max(values) if name.endswith('_max') else sum(values)
        yield f'{name}: {whole} [ {" ".join(map(str, values))} ]'


def thread_line(number: int, pid: int, activity: Mapping[str, int] | None) -> str:
    """One worker for `show threads`; None: it did not answer."""
    head = f'  Thread {number + 1} : pid={pid}'
    if activity is None:
        return f'{head} stuck=1'
    return (
        f'{head} stuck=0 clients={activity["clients"]} streams={activity["streams"]} cpu_ms={activity["cpu_ms"]} '
        f'late_us_max={activity["late_us_max"]}'
    )


def task_name(name: str) -> str:
    """Tasks that nobody named are one kind."""
    return 'connection' if name.startswith('Task-') else name


def show_tasks(places: Mapping[str, Sequence[int]], workers: int) -> Iterable[str]:
    """What waits or runs now: kinds, most of them first, how many, their part of all, and how old they are together and on average.

    `places`: age in ms of each, by kind.
    """
    total = sum(map(len, places.values()))
    yield f'Running tasks: {total} ({workers} threads)'
    yield '  function                     places     %    lat_tot   lat_avg'
    for name, ages in sorted(places.items(), key=lambda item: (-len(item[1]), item[0])):
        whole = sum(ages)
        yield (
            f'  {name:<25} {len(ages):>9} {100 * len(ages) / total:>5.1f} {_seconds(whole):>10} {_seconds(whole // len(ages)):>9}'
        )


def _seconds(milliseconds: int) -> str:
    return f'{milliseconds / 1000:.3f}s' if milliseconds else '-'


def show_pools(pools: Sequence[Pool], memory: Mapping[str, int]) -> Iterable[str]:
    """The board's tables, then what each process holds. `memory`: resident bytes by process."""
    yield 'Dumping pools usage.'
    for pool in pools:
        yield (
            f'  - Pool {pool.name} ({pool.size} bytes) : {pool.allocated} allocated ({pool.allocated * pool.size} bytes), '
            f'{pool.used} used, 0 failures [SHARED]'
        )
    for name, size in memory.items():
        yield f'  - Process {name} : {size} bytes resident'
    allocated = sum(pool.allocated * pool.size for pool in pools)
    used = sum(pool.used * pool.size for pool in pools)
    yield f'Total: {len(pools)} pools, {allocated} bytes allocated, {used} used; {sum(memory.values())} bytes resident.'


def descriptor(word: str) -> int:
    """Operand of `show fd`. Raises Complaint."""
    if not (word.isascii() and word.isdecimal()) or len(word) > 9:
        raise Complaint('Expects a file descriptor number.')
    return int(word)


def mapped(lines: Iterable[str]) -> Iterable[tuple[int, int, str]]:
    """The files that a process has mapped, in the order of their addresses: where each begins and ends (proc(5), maps)."""
    found: dict[str, tuple[int, int]] = {}
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or not fields[5].startswith('/'):
            continue
        start, end = (int(word, 16) for word in fields[0].split('-'))
        path = fields[5].rstrip('\n')
        first, last = found.get(path, (start, end))
        found[path] = min(first, start), max(last, end)
    return sorted((first, last, path) for path, (first, last) in found.items())


def show_libs(objects: Iterable[tuple[int, int, str]]) -> str:
    """`show libs`: what is loaded, and where."""
    return '\n'.join(f'0x{start:016x}-0x{end:016x} (0x{end - start:08x}) {path}' for start, end, path in objects)


def show_dev(sections: Mapping[str, Mapping[str, object]]) -> str:
    """`show dev`: titles, and below each what is known under its names."""
    lines: list[str] = []
    for title, facts in sections.items():
        lines.append(title)
        lines += [f'  {name}: {value}' for name, value in facts.items()]
    return '\n'.join(lines)
