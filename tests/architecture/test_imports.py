"""Imports point one way. What the tables below do not list is forbidden."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.source import PACKAGES, Import, imports, inside, modules

# room -> the rooms it may import besides itself; the longest matching room counts
ROOMS: dict[str, tuple[str, ...]] = {
    'dataplane': (),
    'dataplane.wire': (),
    'dataplane.rules': (),
    'dataplane.core': (
        'dataplane.wire',
        'dataplane.rules.model',
        'dataplane.rules.actions',
        'dataplane.rules.statspage',
        'dataplane.rules.hashes',
        'dataplane.rules.samples',
        'dataplane.rules.xxhash',
    ),
    'dataplane.config': (
        'dataplane.wire',
        'dataplane.core.model',
        'dataplane.core.answers',
        'dataplane.core.checks',
        'dataplane.core.cookie',
        'dataplane.core.lookup',
        'dataplane.core.outbound',
        'dataplane.core.rings',
        'dataplane.core.sampling',
        'dataplane.core.stick',
        'dataplane.core.tuning',
        'dataplane.rules',
    ),
    'dataplane.cli': ('dataplane.wire', 'dataplane.core.model', 'dataplane.core.stick'),
    'dataplane.native': (),  # what exists compiled only
    'dataplane.crypting': (),
    'dataplane.alarm': (),
    'dataplane.mutex': ('dataplane.native',),
    'dataplane.sealed': (),
    'dataplane.board': ('dataplane.core', 'dataplane.mutex', 'dataplane.sealed'),
    'dataplane.stick': ('dataplane.core', 'dataplane.mutex', 'dataplane.rules', 'dataplane.sealed'),
    'dataplane.worker': (
        'dataplane.core',
        'dataplane.rules',
        'dataplane.wire',
        'dataplane.board',
        'dataplane.stick',
        'dataplane.alarm',
        'dataplane.native',
        'dataplane.crypting',
    ),
    'dataplane.health': ('dataplane.core', 'dataplane.rules', 'dataplane.wire'),
    'dataplane.supervisor': (
        'dataplane.rules',
        'dataplane.core',
        'dataplane.rules.statspage',
        'dataplane.health',
        'dataplane.config',
        'dataplane.cli',
        'dataplane.wire',
        'dataplane.board',
        'dataplane.stick',
        'dataplane.alarm',
        'dataplane.crypting',
    ),
    'dataplane.supervisor.prefork': (
        'dataplane.supervisor.spawn',
        'dataplane.core',
        'dataplane.worker.main',
    ),
    'controlplane': (),
    'controlplane.domain': ('dataplane.wire',),
    'controlplane.api': ('controlplane.domain', 'dataplane.wire'),
    'controlplane.push': ('controlplane.domain', 'dataplane.wire'),
    'controlplane.stores': ('controlplane.domain', 'dataplane.wire'),
    'controlplane.kube': ('controlplane.domain', 'dataplane.wire'),
    'controlplane.auth': ('controlplane.domain',),
    'controlplane.app': ('controlplane', 'dataplane.wire'),
    'controlplane.replica': ('controlplane', 'dataplane.wire'),
    'controlplane.incluster': ('controlplane',),
    'controlplane.forward': ('controlplane.domain',),
    'controlplane.collector': (),
    'controlplane.tls': (),
    'controlplane.serving': ('dataplane.wire',),
    'controlplane.__main__': (
        'controlplane.app',
        'controlplane.auth',
        'controlplane.incluster',
        'controlplane.kube.lease',
        'controlplane.replica',
        'controlplane.tls',
    ),
    'sluicectl': (),
}

# rooms that decide: no clock, no socket, no loop, no chance of their own
PURE = (
    'dataplane.core', 'dataplane.config', 'dataplane.cli', 'dataplane.rules', 'controlplane.domain',
    'dataplane.health.agent', 'dataplane.health.counter', 'dataplane.health.errors', 'dataplane.health.http',
    'dataplane.health.result', 'dataplane.health.run', 'dataplane.health.watch', 'dataplane.health.wording',
    'controlplane.kube.addresses', 'controlplane.kube.assemble', 'controlplane.kube.backend', 'controlplane.kube.conditions',
    'controlplane.kube.deadlines',
    'controlplane.kube.endpoints', 'controlplane.kube.objects', 'controlplane.kube.outcome', 'controlplane.kube.settle',
    'controlplane.kube.translate', 'controlplane.kube.world', 'controlplane.kube.writes',
)  # fmt: skip
IMPURE = frozenset({
    'asyncio', 'concurrent', 'ctypes', 'logging', 'mmap', 'multiprocessing', 'os', 'random', 'select', 'selectors', 'signal',
    'socket', 'sqlite3', 'ssl', 'subprocess', 'threading', 'time',
})  # fmt: skip

# library -> the only rooms that may import it
LIBRARIES: dict[str, tuple[str, ...]] = {
    # never in a worker: no framework comes near the bytes of a request
    'aiohttp': ('dataplane.supervisor', 'controlplane.kube'),
    'yarl': ('dataplane.supervisor', 'controlplane.kube'),  # aiohttp's type for addresses
    'kubernetes_asyncio': ('controlplane.kube',),
    'dns': ('dataplane.supervisor.naming.messages',),  # dnspython
    'httptools': (),  # an oracle of the tests
    'uvloop': ('dataplane.worker.main', 'dataplane.supervisor.main', 'controlplane.__main__'),
    'fastapi': (
        'controlplane.api',
        'controlplane.app',
        'controlplane.auth',
        'controlplane.dashboard',
        'controlplane.incluster',
        'controlplane.replica',
    ),
    'starlette': (
        'controlplane.api',
        'controlplane.app',
        'controlplane.auth',
        'controlplane.dashboard',
        'controlplane.forward',
    ),
    'pydantic': ('controlplane.api',),
    'uvicorn': ('controlplane.serving',),
    'h11': ('controlplane.serving',),  # uvicorn's own HTTP
    'click': ('sluicectl',),
    'httpx': ('sluicectl', 'controlplane.forward'),
    'rich': ('sluicectl',),
}


def room_of(module: str) -> str:
    return max((room for room in ROOMS if inside(module, room)), key=len)


def listed(found: list[Import]) -> str:
    return '\n'.join(f'{one.where}: {one.importer} imports {one.imported}' for one in found)


def own() -> list[Import]:
    return [one for one in imports() if one.imported.split('.')[0] in PACKAGES]


def foreign() -> list[Import]:
    known = {*PACKAGES, *sys.stdlib_module_names}
    return [one for one in imports() if one.imported.split('.')[0] not in known]


def test_rooms_import_only_what_the_table_lists() -> None:
    def allowed(one: Import) -> bool:
        room = room_of(one.importer)
        tour = one.imported == 'dataplane'
        return tour or any(inside(one.imported, target) for target in (room, *ROOMS[room]))

    wrong = [one for one in own() if not allowed(one)]
    assert not wrong, listed(wrong)


def test_the_tour_of_the_house_imports_nothing() -> None:
    wrong = [one for one in imports() if one.importer == 'dataplane' and one.imported != '__future__']
    assert not wrong, listed(wrong)


def test_siblings_of_the_control_plane_do_not_know_each_other() -> None:
    siblings = ('controlplane.api', 'controlplane.push', 'controlplane.stores', 'controlplane.kube')
    wrong = [
        one
        for one in own()
        for mine in siblings
        if inside(one.importer, mine)
        if any(inside(one.imported, other) for other in siblings if other != mine)
    ]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize('room', PURE)
def test_pure_rooms_have_no_clock_no_socket_and_no_chance(room: str) -> None:
    wrong = [one for one in imports() if inside(one.importer, room) and one.imported.split('.')[0] in IMPURE]
    assert not wrong, listed(wrong)


def test_the_wire_needs_the_standard_library_only() -> None:
    wrong = [one for one in foreign() if inside(one.importer, 'dataplane.wire')]
    assert not wrong, listed(wrong)


def test_libraries_stay_in_their_rooms() -> None:
    wrong = [
        one
        for one in foreign()
        if not any(inside(one.importer, room) for room in LIBRARIES.get(one.imported.split('.')[0], ()))
    ]
    assert not wrong, listed(wrong)


def test_no_cycles() -> None:
    """Of what is executed: two ends of a conversation may name each other's type (the table above still applies to that)."""
    edges: dict[str, set[str]] = {name: set() for name in modules()}
    for one in own():
        if one.imported in edges and one.imported != one.importer and not one.types_only:
            edges[one.importer].add(one.imported)
    while leaves := {name for name, targets in edges.items() if not targets & edges.keys()}:
        edges = {name: targets for name, targets in edges.items() if name not in leaves}
    assert not edges, f'these import each other in a circle: {sorted(edges)}'


def test_every_room_of_the_tables_is_there_or_not_yet_built() -> None:
    """A table that names a room which was renamed would allow everything and forbid nothing."""
    later = {'controlplane.dashboard'}
    named = {*ROOMS, *PURE, *(room for rooms in LIBRARIES.values() for room in rooms)}
    gone = sorted(room for room in named - later if not any(inside(module, room) for module in modules()))
    assert not gone, f'tables name rooms that do not exist: {gone}'
