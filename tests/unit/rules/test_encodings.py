"""Converters that the HAProxy at hand does not know, so that it cannot be asked."""

from __future__ import annotations

import pytest

from dataplane.rules.closures import compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Sample, Type
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction


def value(text: str, wanted: Type = Type.ANY) -> Sample | None:
    return compiled_expression(parse_expression([text], 0, Scope())[0], None, wanted)(Transaction())


@pytest.mark.parametrize('data, found', [
    ('6162', '00000'), ('610962', '00101'), ('610d62', '11110'), ('610a62', '11110'), ('610062', '11110'), ('610162', '11100'),
    ('611f62', '11100'), ('617f62', '11100'), ('612062', '00000'), ('618062', '00000'), ('', '00000'),
])  # fmt: skip
def test_control_characters_are_found_by_name_or_by_mask(data: str, found: str) -> None:
    asked = ('has_ctl', 'has_ctl()', 'has_ctl(any)', 'has_ctl(http)', 'has_ctl(0x200)')
    assert [value(f'bin({data}),{one}') for one in asked] == [digit == '1' for digit in found]


def test_the_last_bit_of_a_mask_is_del() -> None:
    assert value('bin(7f),has_ctl(0x100000000)') is True
    assert value('bin(7f),has_ctl(4294967295)') is False


@pytest.mark.parametrize('mask', ['bogus', '0x200000000', '-1', '0x', '1 '])
def test_what_is_no_mask(mask: str) -> None:
    with pytest.raises(Rejected, match="expects 'any', 'http' or a mask of 33 bits"):
        value(f'str(a),has_ctl({mask})')


@pytest.mark.parametrize('data, size, ordered', [
    ('0302000104', 1, b'0001020304'), ('1302130113031304', 2, b'1301130213031304'), ('1302', 2, b'1302'), ('', 4, b''),
    ('0000000000000002ffffffffffffffff0000000000000001', 8, b'00000000000000010000000000000002FFFFFFFFFFFFFFFF'),
    ('020000010000', 3, b'010000020000'),
])  # fmt: skip
def test_numbers_are_put_in_order(data: str, size: int, ordered: bytes) -> None:
    assert value(f'bin({data}),be_sort({size}),hex') == ordered


def test_what_is_no_whole_number_of_them_is_nothing() -> None:
    assert value('bin(010203),be_sort(2)') is None


@pytest.mark.parametrize('size', [0, 9, -1])
def test_how_large_they_may_be(size: int) -> None:
    with pytest.raises(Rejected, match=r'out of \[1..8\] range'):
        value(f'bin(01),be_sort({size})')


@pytest.mark.parametrize('asked, found', [
    ('0', b'012345'), ('1,3', b'123'), ('txn.none', None), ('1,txn.none', None), ('txn.one', b'12345'), ('txn.one,txn.three', b'123'),
    ('txn.one,3', b'123'), ('1,txn.three', b'123'), ('txn.less', None), ('0,txn.less', None), ('6', None), ('txn.many', None), ('0,txn.many', b'012345'),
])  # fmt: skip
def test_a_piece_may_be_where_variables_say(asked: str, found: bytes | None) -> None:
    view = Transaction()
    for name, number in (('one', 1), ('three', 3), ('less', -1), ('many', 99)):
        view.variables['txn', name] = number
    piece = parse_expression([f'str(012345),bytes({asked})'], 0, Scope())[0]
    assert compiled_expression(piece)(view) == found


@pytest.mark.parametrize('asked', ['-1', '0,0', '0,-1', 'x', '0,x', ''])
def test_what_is_no_piece(asked: str) -> None:
    with pytest.raises(Rejected):
        value(f'str(012345),bytes({asked})')


def test_fractions_of_a_second_have_all_their_digits() -> None:
    assert value('int(1000000000023),http_date(0,ms)') == b'Sun, 09 Sep 2001 01:46:40.023 GMT'
    assert value('int(1000000000000023),http_date(0,us)') == b'Sun, 09 Sep 2001 01:46:40.000023 GMT'


@pytest.mark.parametrize(
    'said, taken', [('es-AR', b'es'), ('es-AR,fr', b'es'), ('fr;q=0.9,es-AR;q=0.5', b'fr'), ('pt-BR', None)]
)
def test_a_variant_of_a_language_is_the_language(said: str, taken: bytes | None) -> None:
    assert value(f"str('{said}'),language(es;fr;en)") == taken
