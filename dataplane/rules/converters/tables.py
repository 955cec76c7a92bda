"""Rules: converters that look a sample up in a stick table (configuration manual 7.3.1). Of a key without an entry every figure is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dataplane.rules.fetches.tables import Reader, adding, clearing, figure, thousands
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Converter, Step
from dataplane.rules.tables import Table, named_table

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View

_FIGURES: Final = (
    'bytes_in_rate', 'bytes_out_rate', 'conn_cnt', 'conn_cur', 'conn_rate', 'glitch_cnt', 'glitch_rate', 'gpc0', 'gpc0_rate', 'gpc1',
    'gpc1_rate', 'gpt0', 'http_err_cnt', 'http_err_rate', 'http_fail_cnt', 'http_fail_rate', 'http_req_cnt', 'http_req_rate', 'server_id', 'sess_cnt',
    'sess_rate',
)  # fmt: skip


def _looking(read: Reader, *, indexed: bool = False, gives: Type = Type.INT) -> Converter:
    place = 1 if indexed else 0

    def build(arguments: Arguments, _: Store) -> Step:
        element = arguments[0] if indexed and isinstance(arguments[0], int) else 0
        name = str(arguments[place])

        def step(sample: Any, view: View) -> Sample | None:
            table = view.table(name)
            key = None if table is None else table.key_of(sample)
            return None if table is None or key is None else read(table, key, element)

        return step

    return Converter(Type.ANY, gives, build, 'int,table?' if indexed else 'table?', named_table(place, own=True))


def _aged(*, idle: bool) -> Converter:
    def build(arguments: Arguments, _: Store) -> Step:
        default = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else None
        read = _looking(lambda table, key, _: table.age(key, idle=idle)).build(arguments[:1], _)

        def step(sample: Any, view: View) -> Sample | None:
            value = read(sample, view)
            return default if value is None else value

        return step

    return Converter(Type.ANY, Type.INT, build, 'table?,int?', named_table(0, own=True))


def _holds(table: Table, key: bytes, _: int) -> Sample | None:
    return table.holds(key)


TABLES: Final[dict[str, Converter]] = {
    'in_table': _looking(_holds, gives=Type.BOOL),
    **{f'table_{name}': _looking(figure(name)) for name in _FIGURES},
    **{f'table_{name}': _looking(figure(name), indexed=True) for name in ('gpc', 'gpc_rate', 'gpt')},
    **{f'table_kbytes_{way}': _looking(thousands(f'bytes_{way}_cnt')) for way in ('in', 'out')},
    **{f'table_inc_{name}': _looking(adding(name, make=False)) for name in ('gpc0', 'gpc1')},
    **{f'table_clr_{name}': _looking(clearing(name, make=False)) for name in ('gpc0', 'gpc1')},
    'table_inc_gpc': _looking(adding('gpc', make=False), indexed=True),
    'table_clr_gpc': _looking(clearing('gpc', make=False), indexed=True),
    'table_trackers': _looking(lambda table, key, _: table.trackers(key)),
    'table_expire': _aged(idle=False),
    'table_idle': _aged(idle=True),
}
