"""Fetches and converters of stick tables, over real tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.rules.acls import parse_condition
from dataplane.rules.closures import compiled, compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample
from dataplane.rules.scope import Scope
from dataplane.stick import StickTable
from tests.unit.rules.transaction import Transaction, transaction

KEY = b'\x0a\x01\x02\x03'  # of 10.1.2.3, who asks
_NAMES = (
    'conn_cnt', 'conn_cur', 'sess_cnt', 'http_req_cnt', 'http_err_cnt', 'http_fail_cnt', 'bytes_in_cnt', 'bytes_out_cnt', 'gpt0', 'gpc0',
    'gpc1', 'server_id',
)  # fmt: skip
_RATES = ('conn', 'sess', 'http_req', 'http_err', 'http_fail', 'bytes_in', 'bytes_out', 'gpc0', 'gpc1')


def made(name: str, *stores: Data) -> StickTable:
    definition = Definition(name=name, key=KeyType.IP, length=4, size=10, expire=60_000, stores=stores)
    table = StickTable.create(definition, 1)
    table.worker = 0
    return table


@pytest.fixture
def view() -> Iterator[Transaction]:
    all_of_them = made('all', *map(Data, _NAMES), *(Data(f'{name}_rate', period=60_000) for name in _RATES))
    arrays = made('arrays', Data('gpc', 3), Data('gpt', 2), Data('gpc_rate', 3, 60_000))
    bare = made('bare')
    view = transaction(b'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    view.tables = {'all': all_of_them, 'arrays': arrays, 'bare': bare}
    for number, table in enumerate((all_of_them, arrays)):
        assert table.track(KEY)
        view.counters[number] = table, KEY
    all_of_them.count(KEY, *((f'{name}_cnt', 3) for name in ('sess', 'http_req', 'http_err', 'http_fail')))
    all_of_them.count(
        KEY, *((f'{name}_rate', 4) for name in ('sess', 'http_req', 'http_err', 'http_fail', 'bytes_in', 'bytes_out'))
    )
    all_of_them.count(KEY, ('bytes_in_cnt', 5_000), ('bytes_out_cnt', 7_000))
    yield view
    for table in (all_of_them, arrays, bare):
        table.close()


def value(text: str, view: Transaction, proxy: str = 'all') -> Sample | None:
    expression, _ = parse_expression([text], 0, Scope(proxy=proxy))
    return compiled_expression(expression)(view)


@pytest.mark.parametrize(
    'name, expected',
    [
        ('conn_cnt', 1), ('conn_cur', 1), ('conn_rate', 1), ('sess_cnt', 3), ('sess_rate', 4), ('http_req_cnt', 3), ('http_req_rate', 4),
        ('http_err_cnt', 3), ('http_err_rate', 4), ('http_fail_cnt', 3), ('http_fail_rate', 4), ('kbytes_in', 4), ('kbytes_out', 6),
        ('bytes_in_rate', 4), ('bytes_out_rate', 4), ('get_gpc0', 0), ('get_gpc1', 0), ('get_gpt0', 0), ('gpc0_rate', 0), ('gpc1_rate', 0),
    ],
)  # fmt: skip
def test_figures_of_what_is_tracked_and_of_the_client(name: str, expected: int, view: Transaction) -> None:
    assert [value(text, view) for text in (f'sc_{name}(0)', f'sc0_{name}', f'src_{name}', f'src_{name}(all)')] == [
        expected
    ] * 4
    looked_up = name.removeprefix('get_')
    assert value(f'src,table_{looked_up}', view) == expected
    # who is tracked by nobody is not found, who has no entry has nothing yet
    assert value(f'sc_{name}(2)', view) is None
    assert value(f'sc2_{name}', view) is None
    assert value(f'sc_{name}(7)', view) is None
    assert value(f'str(1.1.1.1),table_{looked_up}', view) == 0
    # the same key in a table where it has no entry
    assert value(f'sc0_{name}(bare)', view) == 0
    view.tables['bare'].put(KEY, (), make=True)
    assert value(f'sc0_{name}(bare)', view) is None
    assert value(f'src_{name}(bare)', view) is None


def test_arrays(view: Transaction) -> None:
    assert [
        value(text, view) for text in ('sc_inc_gpc(2,1)', 'sc_inc_gpc(2,1)', 'sc_get_gpc(2,1)', 'src_get_gpc(2,arrays)')
    ] == [1, 2, 2, 2]
    assert [
        value(text, view) for text in ('sc_gpc_rate(2,1)', 'src_gpc_rate(2,arrays)', 'src,table_gpc_rate(2,arrays)')
    ] == [2, 2, 2]
    assert [
        value(text, view)
        for text in ('sc_clr_gpc(2,1)', 'sc_get_gpc(2,1)', 'sc_get_gpc(3,1)', 'src,table_gpc(2,arrays)')
    ] == [2, 0, None, 0]
    # the first ones are also called as single ones are
    assert [value(text, view) for text in ('sc1_inc_gpc0', 'sc_inc_gpc1(1)', 'sc_get_gpc(0,1)', 'sc1_gpc1_rate')] == [
        1,
        1,
        1,
        1,
    ]
    assert [
        value(text, view) for text in ('src,table_inc_gpc(1,arrays)', 'src,table_clr_gpc(1,arrays)', 'sc_get_gpt(1,1)')
    ] == [2, 2, 0]


def test_counters_are_counted_and_cleared(view: Transaction) -> None:
    asked = (
        'sc_inc_gpc0(0)',
        'src_inc_gpc0',
        'src,table_inc_gpc0(all)',
        'sc0_gpc0_rate',
        'sc0_clr_gpc0',
        'src_clr_gpc0',
    )
    assert [value(text, view) for text in asked] == [1, 2, 3, 3, 3, 0]
    assert value('src,table_clr_gpc1', view) == 0
    assert value('sc_inc_gpc0(0,bare)', view) == 0  # there is no entry, and `sc_` makes none
    assert view.tables['bare'].size() == (0, 10)


def test_only_fetches_of_the_client_make_entries(view: Transaction) -> None:
    view.tables['all'].untrack(KEY)  # type: ignore[attr-defined]
    view.tables['all'].drop(KEY)  # type: ignore[attr-defined]
    assert value('src_updt_conn_cnt', view) == 1
    assert value('src_updt_conn_cnt(all)', view) == 2
    assert value('src_conn_cnt', view) == 2
    assert value('str(9.9.9.9),table_inc_gpc0(all)', view) == 0
    assert value('table_cnt', view) == 1
    assert value('table_avl(all)', view) == 9


def test_what_is_tracked_and_by_how_many(view: Transaction) -> None:
    asked = (
        'sc_tracked(0)',
        'sc_tracked(2)',
        'sc0_tracked',
        'sc2_tracked',
        'sc0_trackers',
        'src,table_trackers',
        'sc_trackers(2)',
    )
    assert [value(text, view) for text in asked] == [True, False, True, False, 1, 1, None]
    assert value('sc0_key', view) == value('sc_key(0)', view) == view.src
    assert value('src,in_table(all)', view) is True
    assert value('str(9.9.9.9),in_table(all)', view) is False
    assert value('str(nobody),in_table(all)', view) is None


def test_ages(view: Transaction) -> None:
    left, idle = value('src,table_expire', view), value('src,table_idle(all)', view)
    assert isinstance(left, int)
    assert isinstance(idle, int)
    assert 50_000 < left <= 60_000
    assert 0 <= idle < 10_000
    assert value('str(9.9.9.9),table_expire(all)', view) is None
    assert value('str(9.9.9.9),table_expire(all,7)', view) == 7
    assert value('str(9.9.9.9),table_idle(,8)', view) == 8


def test_a_condition(view: Transaction) -> None:
    condition = parse_condition(['if', '{', 'sc_http_req_rate(0)', 'gt', '3', '}'], {}, Scope(proxy='all'))
    assert compiled(condition)(view)
    condition = parse_condition(['if', '{', 'sc_http_req_rate(2)', 'ge', '0', '}'], {}, Scope(proxy='all'))
    assert not compiled(condition)(view)


def test_without_a_client_s_address_or_a_table_nothing_is_found(view: Transaction) -> None:
    view.src = None
    assert value('src_conn_cnt', view) is None
    assert value('src_conn_cnt(gone)', view) is None
    assert value('str(1.2.3.4),in_table(gone)', view) is None
    assert value('table_cnt(gone)', view) is None
    assert value('sc0_conn_cnt(gone)', view) is None


def test_tables_that_are_named_are_told() -> None:
    scope = Scope(proxy='mine')
    for text in (
        'sc_conn_cnt(0)',
        'sc_conn_cnt(0,a)',
        'src_conn_cnt',
        'src,table_conn_cnt(b)',
        'src,table_gpc(1)',
        'table_avl(c)',
    ):
        parse_expression([text], 0, scope)
    assert scope.tables == ['a', 'mine', 'b', 'mine', 'c']


@pytest.mark.parametrize(
    'text, problem',
    [
        ('sc_conn_cnt', "expected type 'integer' at position 1, but got nothing"),
        ('sc_get_gpc(-1,0)', 'the index of an array is 0 or more'),
        ('src_conn_cnt', 'a table must be named here'),
        ('src,in_table', 'a table must be named here'),
        ('sc_conn_cnt(x)', "failed to parse 'x' as type 'integer' at position 1"),
    ],
)
def test_what_cannot_be_asked(text: str, problem: str) -> None:
    with pytest.raises(Rejected, match=problem.replace('(', r'\(')):
        parse_expression([text], 0, Scope())
