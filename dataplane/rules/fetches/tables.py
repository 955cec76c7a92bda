"""Rules: fetches of stick tables: what is tracked (`sc_`, `sc0_`...), what is known of the client (`src_`), and of tables
themselves (configuration manual 7.3.2, 7.3.3).

What nobody tracks is not found; of what has no entry every figure is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from dataplane.rules.model import Named
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Check, Fetch, Getter
from dataplane.rules.tables import Table, Tracked, named_table

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

Reader = Callable[[Table, bytes, int], 'Sample | None']
"""Of a table, a key and the element of an array."""
Finder = Callable[['View', int, str], 'Tracked | None']
"""For a view, the number of a counter and the name of a table ('': the one it is tracked in)."""

COUNTERS: Final = 3
"""How many keys a request may track at once."""
_FIGURES: Final = (
    'bytes_in_rate', 'bytes_out_rate', 'conn_cnt', 'conn_cur', 'conn_rate', 'glitch_cnt', 'glitch_rate', 'gpc0_rate', 'gpc1_rate',
    'http_err_cnt', 'http_err_rate', 'http_fail_cnt', 'http_fail_rate', 'http_req_cnt', 'http_req_rate', 'sess_cnt', 'sess_rate',
)  # fmt: skip
_ARRAYS: Final = {'get_gpc': 'gpc', 'get_gpt': 'gpt', 'gpc_rate': 'gpc_rate'}


def figure(name: str) -> Reader:
    """A figure as it is stored."""
    return lambda table, key, element: table.read(key, name, element)


def thousands(name: str) -> Reader:
    """A number of bytes in kilobytes of 1024."""

    def read(table: Table, key: bytes, element: int) -> Sample | None:
        value = table.read(key, name, element)
        return None if value is None else value >> 10

    return read


def adding(name: str, *, make: bool) -> Reader:
    """One more, and how many that makes."""
    return lambda table, key, element: table.add(key, name, element, 1, make=make)


def clearing(name: str, *, make: bool) -> Reader:
    """Back to 0, and how many it was."""

    def read(table: Table, key: bytes, element: int) -> Sample | None:
        before = table.put(key, ((name, element, 0),), make=make)
        if before is None:
            return 0
        return before[0] if before else None

    return read


def _updating(table: Table, key: bytes, _: int) -> Sample | None:
    return table.add(key, 'conn_cnt', 0, 1, make=True)


def readers(*, make: bool) -> dict[str, tuple[Reader, bool]]:
    """By the name behind `sc_` and its kind: what reads, and whether an array's element has to be named. `make`: entries."""
    found: dict[str, tuple[Reader, bool]] = {name: (figure(name), False) for name in _FIGURES}
    found |= {f'get_{name}': (figure(name), False) for name in ('gpc0', 'gpc1', 'gpt0')}
    found |= {name: (figure(array), True) for name, array in _ARRAYS.items()}
    found |= {f'kbytes_{way}': (thousands(f'bytes_{way}_cnt'), False) for way in ('in', 'out')}
    for what, maker in (('inc', adding), ('clr', clearing)):
        found |= {f'{what}_{name}': (maker(name, make=make), False) for name in ('gpc0', 'gpc1')}
        found[f'{what}_gpc'] = maker('gpc', make=make), True
    return found


def _tracked(view: View, number: int, table: str) -> Tracked | None:
    found = view.tracked(number)
    if found is None or not table:
        return found
    other = view.table(table)
    return None if other is None else (other, found[1])


def _client(view: View, _: int, table: str) -> Tracked | None:
    known, address = view.table(table), view.src
    if known is None or address is None:
        return None
    key = known.key_of(address)
    return None if key is None else (known, key)


def _fetching(
    find: Finder, read: Reader, *, places: tuple[int, int, int], number: int = 0
) -> Callable[[Arguments], Getter]:
    """`places` of the element, the counter's number and the table among the arguments, -1 where it is none of them."""

    def build(arguments: Arguments) -> Getter:
        element, counter, table = (_at(arguments, place) for place in places)
        index, wanted, name = _int(element, 0), _int(counter, number), str(table) if isinstance(table, Named) else ''

        def fetch(view: View) -> Sample | None:
            found = find(view, wanted, name)
            return None if found is None else read(found[0], found[1], index)

        return fetch

    return build


def _at(arguments: Arguments, place: int) -> object:
    return arguments[place] if 0 <= place < len(arguments) else None


def _int(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _checked(places: tuple[int, int, int], *, own: bool) -> Check:
    table = named_table(places[2], own=own)

    def check(arguments: Arguments, scope: Scope) -> Arguments:
        if _int(_at(arguments, places[0]), 0) < 0:
            msg = 'the index of an array is 0 or more'
            raise Rejected(msg)
        return table(arguments, scope)

    return check


def _kinds(name: str, read: Reader, *, indexed: bool, gives: Type = Type.INT) -> Iterator[tuple[str, Fetch]]:
    """`sc_NAME`, and `sc0_NAME` and its kind where no element of an array has to be named."""
    places = (0, 1, 2) if indexed else (-1, 0, 1)
    kinds = 'int,int,table?' if indexed else 'int,table?'
    yield (
        f'sc_{name}',
        Fetch(gives, Use.INTERNAL, _fetching(_tracked, read, places=places), kinds, _checked(places, own=False)),
    )
    if not indexed:
        places = (-1, -1, 0)
        for number in range(COUNTERS):
            build = _fetching(_tracked, read, places=places, number=number)
            yield f'sc{number}_{name}', Fetch(gives, Use.INTERNAL, build, 'table?', _checked(places, own=False))


def _of_client(name: str, read: Reader, *, indexed: bool) -> tuple[str, Fetch]:
    places = (0, -1, 1) if indexed else (-1, -1, 0)
    build = _fetching(_client, read, places=places)
    return f'src_{name}', Fetch(
        Type.INT, Use.CLIENT, build, 'int,table?' if indexed else 'table?', _checked(places, own=True)
    )


def _is_tracked(arguments: Arguments) -> Getter:
    number = _int(_at(arguments, 0), 0)
    return lambda view: view.tracked(number) is not None


def _numbered(number: int) -> Callable[[Arguments], Getter]:
    return lambda _: lambda view: view.tracked(number) is not None


def _of_table(*, free: bool) -> Fetch:
    def build(arguments: Arguments) -> Getter:
        name = str(arguments[0])

        def fetch(view: View) -> Sample | None:
            table = view.table(name)
            if table is None:
                return None
            used, size = table.size()
            return max(0, size - used) if free else used

        return fetch

    return Fetch(Type.INT, Use.INTERNAL, build, 'table?', named_table(0, own=True))


def _all() -> dict[str, Fetch]:
    found: dict[str, Fetch] = {}
    for name, (read, indexed) in readers(make=False).items():
        found.update(_kinds(name, read, indexed=indexed))
    found.update(_kinds('trackers', lambda table, key, _: table.trackers(key), indexed=False))
    found.update(_kinds('key', lambda table, key, _: table.sample_of(key), indexed=False, gives=Type.ANY))
    found['sc_tracked'] = Fetch(Type.BOOL, Use.INTERNAL, _is_tracked, 'int,table?', _checked((-1, 0, 1), own=False))
    for number in range(COUNTERS):
        check = _checked((-1, -1, 0), own=False)
        found[f'sc{number}_tracked'] = Fetch(Type.BOOL, Use.INTERNAL, _numbered(number), 'table?', check)
    found.update(_of_client(name, read, indexed=indexed) for name, (read, indexed) in readers(make=True).items())
    found.update([_of_client('updt_conn_cnt', _updating, indexed=False)])
    return found | {'table_cnt': _of_table(free=False), 'table_avl': _of_table(free=True)}


TABLES: Final[dict[str, Fetch]] = _all()
