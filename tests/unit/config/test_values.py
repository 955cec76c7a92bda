from __future__ import annotations

import pytest

from dataplane.config.problems import Rejected
from dataplane.config.values import MAX_INT, parse_int, parse_size, parse_time


@pytest.mark.parametrize(
    'word, milliseconds',
    [
        ('0', 0), ('10', 10), ('10ms', 10), ('1us', 1), ('1000us', 1), ('1001us', 2), ('0us', 0), ('5s', 5_000),
        ('2m', 120_000), ('1h', 3_600_000), ('1d', 86_400_000), ('24d', 2_073_600_000), (str(MAX_INT), MAX_INT),
    ],
)  # fmt: skip
def test_times(word: str, milliseconds: int) -> None:
    assert parse_time(word, 'x') == milliseconds


def test_another_unit_may_be_the_default_one() -> None:
    assert parse_time('2', 'x', unit='s') == 2_000


@pytest.mark.parametrize(
    'word, complaint',
    [
        ('', "'t' expects an integer value"),
        ('10xx', "unexpected character 'x' in 't'"),
        ('10 s', "unexpected character ' ' in 't'"),
        ('-5', "unexpected character '-' in 't'"),
        ('1.5s', "unexpected character '.' in 't'"),
        ('s', "unexpected character 's' in 't'"),
        ('٣', 'unexpected character'),
        ('25d', 'timer overflow'),
        (str(MAX_INT + 1), 'timer overflow'),
        ('9' * 5000 + 'd', 'timer overflow'),
    ],
)
def test_what_is_no_time(word: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_time(word, 't')
    assert complaint in str(raised.value)


@pytest.mark.parametrize('word, size', [('0', 0), ('100', 100), ('16k', 16_384), ('1M', 1 << 20), ('1g', 1 << 30)])
def test_sizes(word: str, size: int) -> None:
    assert parse_size(word, 'x', 0) == size


@pytest.mark.parametrize('word', ['', 'k', '5x', '-5', '1.5k', '4g', '9' * 30, '7'])
def test_what_is_no_size(word: str) -> None:
    with pytest.raises(Rejected, match=r'tune\.x'):
        parse_size(word, 'tune.x', 8)


@pytest.mark.parametrize('word, value', [('1', 1), ('-3', -3), ('10', 10)])
def test_integers(word: str, value: int) -> None:
    assert parse_int(word, 'x', -3, 10) == value


@pytest.mark.parametrize(
    'word, complaint',
    [
        ('', "'x' expects an integer argument."),
        ('abc', "'x' expects an integer argument (got 'abc')."),
        ('1e3', "got '1e3'"),
        ('٣', 'expects an integer'),
        ('11', "'x' value must be between 1 and 10 (was 11)"),
        ('0', 'must be between'),
        ('9' * 5000, 'expects an integer'),
    ],
)
def test_what_is_no_integer(word: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_int(word, 'x', 1, 10)
    assert complaint in str(raised.value)
