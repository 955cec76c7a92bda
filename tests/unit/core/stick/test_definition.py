"""What a table keeps: names and kinds of data, and how they are shown."""

from __future__ import annotations

import pytest

from dataplane.core.stick.definition import ARRAYS, KINDS, WIDE, Data, Definition, KeyType, Kind


@pytest.mark.parametrize(
    'data, element, label',
    [
        (Data('conn_cnt'), 0, 'conn_cnt'),
        (Data('conn_rate', period=10_000), 0, 'conn_rate(10000)'),
        (Data('gpc0'), 0, 'gpc0'),
        (Data('gpc', 3), 2, 'gpc2'),
        (Data('gpt', 2), 1, 'gpt1'),
        (Data('gpc_rate', 2, 1_000), 1, 'gpc1_rate(1000)'),
    ],
)
def test_figures_are_called_as_haproxy_calls_them(data: Data, element: int, label: str) -> None:
    assert data.label(element) == label


def test_whatever_is_called_a_rate_is_one() -> None:
    assert {name for name, kind in KINDS.items() if kind is Kind.RATE} == {name for name in KINDS if '_rate' in name}
    assert {name for name, kind in KINDS.items() if kind is Kind.CURRENT} == {'conn_cur'}
    assert KINDS.keys() > ARRAYS
    assert KINDS.keys() > WIDE


def test_tables_of_one_definition_are_the_same_table() -> None:
    def table(size: int) -> Definition:
        return Definition(name='t', key=KeyType.IP, length=4, size=size, stores=(Data('gpc0'),))

    assert table(10) == table(10)
    assert table(10) != table(11)
