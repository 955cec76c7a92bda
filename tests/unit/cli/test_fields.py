from __future__ import annotations

from dataplane.cli.fields import csv_value, described, present, table, to_json

FIELDS = table("""
one MGP u32 The first
Two~words KOs str The second
""")


def test_a_table_of_fields() -> None:
    assert [(field.position, field.name, field.type) for field in FIELDS] == [
        (0, 'one', 'u32'),
        (1, 'Two words', 'str'),
    ]


def test_typed_output() -> None:
    assert FIELDS[0].typed(5) == '0.one.1:MGP:u32:5'
    assert FIELDS[0].tagged('SGP').typed(5) == '0.one.1:SGP:u32:5'
    assert described('x', FIELDS[1], describe=True) == 'x:"The second"'
    assert described('x', FIELDS[1], describe=False) == 'x'


def test_json_output() -> None:
    assert to_json(FIELDS[1].document('v')) == (
        '{"field":{"pos":1,"name":"Two words"},"processNum":1,'
        '"tags":{"origin":"Key","nature":"Output","scope":"System"},"value":{"type":"str","value":"v"}}'
    )


def test_csv_quotes_only_where_it_must() -> None:
    assert [csv_value(value) for value in ('a b', 'a,b', 'a"b', 3)] == ['a b', '"a,b"', '"a""b"', '3']


def test_missing_fields_are_left_out() -> None:
    assert [field.name for field, _ in present(FIELDS, {'Two words': ''})] == ['Two words']
