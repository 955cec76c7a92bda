"""The cells: no two facts share one, and every address lies where the layout says."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import pytest

from dataplane.core import layout as module
from dataplane.core.counters import COUNTERS
from dataplane.core.layout import ENTRY_STRIDE, Layout

AT = Layout(workers=3, servers=5, backends=4, frontends=2, entries=7)
ROWS = AT.workers + 1


def columns() -> list[tuple[str, list[int]]]:
    """Every fact with the cells it may occupy."""
    found = [
        (name, [getattr(AT, name)])
        for name in ('VERSION', 'REVISION', 'TABLES', 'GLOBAL_MAXCONN', 'SEQUENCE', 'FREE_ROOT', 'HIGH_WATER', 'ROWS')
    ]
    widths = {
        'ASIDE': AT.workers,
        'HEARTBEAT': AT.workers,
        'MAIL_HEAD': AT.workers,
        'MAIL_TAIL': AT.workers,
        'FEMAXCONN': AT.frontends,
    }
    widths |= {'QUEUE_ROOT': AT.queues, 'QUEUE_LENGTH': AT.queues}
    widths |= dict.fromkeys(module._SERVER_COLUMNS, AT.servers) | dict.fromkeys(module._BACKEND_COLUMNS, AT.backends)
    for name, width in widths.items():
        first = getattr(AT, name)
        found.append((name, list(range(first, first + width))))
    for name, address in (('served', AT.served), ('idle', AT.idle)):
        found.append((name, [address(worker, server) for worker in range(AT.workers) for server in range(AT.servers)]))
    found.append(
        ('beconn', [AT.beconn(worker, backend) for worker in range(AT.workers) for backend in range(AT.backends)])
    )
    for name in module._ENTRY_CELLS:
        found.append((name, [getattr(AT, name) + entry * ENTRY_STRIDE for entry in range(AT.entries)]))
    for row in range(ROWS):
        blocks = [AT.process_counters(row)]
        blocks += [AT.frontend_counters(row, frontend) for frontend in range(AT.frontends)]
        blocks += [AT.backend_counters(row, backend) for backend in range(AT.backends)]
        blocks += [AT.server_counters(row, server) for server in range(AT.servers)]
        found += [(f'counters of row {row} at {block}', list(range(block, block + COUNTERS))) for block in blocks]
    return found


def test_no_two_facts_share_a_cell() -> None:
    owner: dict[int, str] = {}
    for name, cells in columns():
        for cell in cells:
            assert cell not in owner, f'{name} and {owner[cell]} share cell {cell}'
            assert 0 <= cell < AT.size, f'{name} lies outside of the board'
            owner[cell] = name


def test_every_column_a_reader_may_name_exists() -> None:
    for name in re.findall(
        r'^    ([A-Z_]+): int$', Path(module.__file__).with_name('layout.py').read_text(), re.MULTILINE
    ):
        assert isinstance(getattr(AT, name), int)


def test_queues_are_numbered_without_a_gap() -> None:
    own = [queue for server in range(AT.servers) for queue in (2 * server, 2 * server + 1)]
    shared = [AT.backend_queue(backend) for backend in range(AT.backends)]
    forced = [AT.forced_queue(server) for server in range(AT.servers)]
    assert own + shared + forced == list(range(AT.queues))


def test_the_departed_row_comes_after_the_workers() -> None:
    assert AT.departed == AT.workers
    assert AT.process_counters(AT.departed) == AT.process_counters(AT.workers - 1) + COUNTERS


def test_rows_in_use_are_all_unless_the_cell_says_how_many() -> None:
    cells = array('q', bytes(8 * AT.size))
    assert AT.rows(cells) == AT.workers
    cells[AT.ROWS] = 2
    assert AT.rows(cells) == 2


@pytest.mark.parametrize('more', ['workers', 'servers', 'backends', 'frontends', 'entries', 'listeners'])
def test_every_maximum_counts(more: str) -> None:
    maxima = {'workers': 3, 'servers': 5, 'backends': 4, 'frontends': 2, 'entries': 7, 'listeners': 0}
    assert Layout(**(maxima | {more: maxima[more] + 1})).size > AT.size


def test_counters_of_listeners_are_no_others() -> None:
    at = Layout(workers=3, servers=5, backends=4, frontends=2, entries=7, listeners=2)
    assert at.listener_counters(0, 0) == at.server_counters(at.departed, 4) + COUNTERS
    assert at.listener_counters(at.departed, 1) + COUNTERS == at.process_counters(0)
    assert at.listener_counters(1, 0) == at.listener_counters(0, 1) + COUNTERS


def test_another_process_makes_the_same_of_its_maxima() -> None:
    maxima = {'workers': 3, 'servers': 5, 'backends': 4, 'frontends': 2, 'entries': 7, 'wheels': 9, 'listeners': 2}
    assert Layout(**maxima).maxima == maxima
