from __future__ import annotations

import pytest

from dataplane.cli.aids import (
    Pool,
    descriptor,
    event_options,
    mapped,
    show_activity,
    show_dev,
    show_env,
    show_libs,
    show_pools,
    show_sinks,
    show_tasks,
    task_name,
    thread_line,
)
from dataplane.cli.session import Complaint


def test_show_env() -> None:
    assert show_env({'A': '1', 'B': '2'}, '') == 'A=1\nB=2'
    assert show_env({'A': '1'}, 'A') == 'A=1'
    with pytest.raises(Complaint, match='Variable not found'):
        show_env({}, 'A')


def test_sinks() -> None:
    assert (
        show_sinks([('buf0', 'in-memory ring buffer')]).splitlines()[-1]
        == '    buf0       : type=buffer, 0 dropped, in-memory ring buffer'
    )


@pytest.mark.parametrize(
    'words,expected', [((), ''), (('-w',), 'w'), (('-wn',), 'nw'), (('-w', '-n', '-0'), 'nwz'), (('-n0w',), 'nwz')]
)
def test_options_of_events(words: tuple[str, ...], expected: str) -> None:
    assert ''.join(sorted(event_options(words))) == expected


@pytest.mark.parametrize('word', ['w', '-', '-x', '-wx', ''])
def test_unknown_options_of_events(word: str) -> None:
    with pytest.raises(Complaint, match='unknown option'):
        event_options((word,))


def test_activity() -> None:
    workers = [{'accepted': 2, 'late_us_max': 9}, {'accepted': 3, 'late_us_max': 4}]
    assert list(show_activity(workers, 1.5)) == [
        'thread_id: 1 (1..2)', 'date_now: 1.500000', 'accepted: 5 [ 2 3 ]', 'late_us_max: 9 [ 9 4 ]',
    ]  # fmt: skip
    assert list(show_activity([], 1.5)) == ['thread_id: 1 (1..0)', 'date_now: 1.500000']


def test_threads() -> None:
    said = {'clients': 1, 'streams': 2, 'cpu_ms': 3, 'late_us_max': 4}
    assert thread_line(0, 17, said) == '  Thread 1 : pid=17 stuck=0 clients=1 streams=2 cpu_ms=3 late_us_max=4'
    assert thread_line(1, 18, None) == '  Thread 2 : pid=18 stuck=1'


def test_tasks() -> None:
    lines = list(show_tasks({'stream(BODY)': [1000, 2000, 3000], 'supervisor(publisher)': [0]}, 2))
    assert lines[0] == 'Running tasks: 4 (2 threads)'
    assert lines[2].split() == ['stream(BODY)', '3', '75.0', '6.000s', '2.000s']
    assert lines[3].split() == ['supervisor(publisher)', '1', '25.0', '-', '-']
    assert (task_name('Task-12'), task_name('publisher')) == ('connection', 'publisher')


def test_pools() -> None:
    lines = list(show_pools([Pool('entry', 104, 3, 1)], {'supervisor': 5000, 'worker 1': 7000}))
    assert lines[1:] == [
        '  - Pool entry (104 bytes) : 3 allocated (312 bytes), 1 used, 0 failures [SHARED]',
        '  - Process supervisor : 5000 bytes resident',
        '  - Process worker 1 : 7000 bytes resident',
        'Total: 1 pools, 312 bytes allocated, 104 used; 12000 bytes resident.',
    ]


def test_descriptors() -> None:
    assert descriptor('12') == 12
    for word in ('x', '-1', '1' * 10):
        with pytest.raises(Complaint, match='Expects a file descriptor number'):
            descriptor(word)


def test_what_is_loaded_and_where() -> None:
    maps = [
        '7f00-7f10 r--p 00000000 08:01 1 /lib/b.so\n',
        '7f10-7f30 r-xp 00000000 08:01 1 /lib/b.so\n',
        '1000-2000 r-xp 00000000 08:01 2 /bin/with a blank\n',
        '3000-4000 rw-p 00000000 00:00 0 \n',
        '5000-6000 rw-p 00000000 00:00 0 [heap]\n',
    ]
    assert show_libs(mapped(maps)).splitlines() == [
        '0x0000000000001000-0x0000000000002000 (0x00001000) /bin/with a blank',
        '0x0000000000007f00-0x0000000000007f30 (0x00000030) /lib/b.so',
    ]


def test_facts_stand_below_their_title() -> None:
    assert show_dev({'A': {}, 'B': {'x': 1, 'y': 'z'}}) == 'A\nB\n  x: 1\n  y: z'
