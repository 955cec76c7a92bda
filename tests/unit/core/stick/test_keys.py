"""Keys: of samples of every type, of what people write, and back."""

from __future__ import annotations

import pytest

from dataplane.core.stick.definition import DEFAULT_LENGTH, FIXED, Definition, KeyType
from dataplane.core.stick.keys import key_maker, key_of_text, key_text, sample_of, type_of_key
from dataplane.rules.samples import Binary, IPv4, IPv6, Method, Sample, Type, parse_address

V4, V6 = parse_address('1.2.3.4'), parse_address('2001:db8::1')


def table(key: KeyType, length: int = 0) -> Definition:
    return Definition(name='t', key=key, length=length or FIXED.get(key) or DEFAULT_LENGTH[key], size=1)


@pytest.mark.parametrize(
    'key, sample, expected',
    [
        (KeyType.IP, V4, b'\x01\x02\x03\x04'),
        (KeyType.IP, parse_address('::ffff:1.2.3.4'), b'\x01\x02\x03\x04'),
        (KeyType.IP, V6, None),
        (KeyType.IP, b'1.2.3.4', b'\x01\x02\x03\x04'),
        (KeyType.IP, b'nobody', None),
        (KeyType.IP, 0x01020304, b'\x01\x02\x03\x04'),
        (KeyType.IPV6, V4, b'\0' * 10 + b'\xff\xff\x01\x02\x03\x04'),
        (KeyType.IPV6, V6, bytes.fromhex('20010db8000000000000000000000001')),
        (KeyType.INTEGER, 7, b'\0\0\0\x07'),
        (KeyType.INTEGER, -1, b'\xff\xff\xff\xff'),
        (KeyType.INTEGER, b'12x', b'\0\0\0\x0c'),
        (KeyType.INTEGER, True, b'\0\0\0\x01'),
        (KeyType.STRING, b'abcdef', b'abcd'),
        (KeyType.STRING, b'', b''),
        (KeyType.STRING, V4, b'1.2.'),
        (KeyType.STRING, Binary(b'a\0b'), b'a'),
        (KeyType.STRING, Method(b'GET'), b'GET'),
        (KeyType.BINARY, b'a', b'a\0\0\0'),
        (KeyType.BINARY, b'abcdef', b'abcd'),
        (KeyType.BINARY, V4, b'\x01\x02\x03\x04'),
    ],
)
def test_samples(key: KeyType, sample: Sample, expected: bytes | None) -> None:
    assert key_maker(table(key, 0 if key in FIXED else 4))(sample) == expected


@pytest.mark.parametrize(
    'key, text, shown',
    [
        (KeyType.IP, '1.2.3.4', '1.2.3.4'),
        (KeyType.IP, '::1', None),
        (KeyType.IP, 'x', None),
        (KeyType.IPV6, '2001:DB8::1', '2001:db8::1'),
        (KeyType.IPV6, '1.2.3.4', None),
        (KeyType.INTEGER, '4294967295', '4294967295'),
        (KeyType.INTEGER, '4294967296', None),
        (KeyType.INTEGER, '-1', None),
        (KeyType.INTEGER, '\u0661', None),
        (KeyType.STRING, 'a b=c\\', 'a\\ b\\=c\\\\'),
        (KeyType.STRING, 'tab\tand\x01', 'tab\\tand\\x01'),
        (KeyType.STRING, 'x' * 40, 'x' * 31),
    ],
)
def test_what_people_write(key: KeyType, text: str, shown: str | None) -> None:
    found = key_of_text(table(key), text)
    assert (None if found is None else key_text(table(key), found)) == shown


def test_blocks_are_shown_in_hexadecimal() -> None:
    assert key_text(table(KeyType.BINARY, 4), b'\x01\xab\0\0') == '01AB0000'


@pytest.mark.parametrize(
    'key, sample', [(KeyType.IP, V4), (KeyType.IPV6, V6), (KeyType.INTEGER, 9), (KeyType.STRING, b's'), (KeyType.BINARY, Binary(b'b'))]
)  # fmt: skip
def test_a_key_becomes_the_sample_it_was(key: KeyType, sample: Sample) -> None:
    definition = table(key, 0 if key in FIXED else 1)
    made = key_maker(definition)(sample)
    assert made is not None
    back = sample_of(definition, made)
    assert (back, type(back)) == (sample, type(sample))
    assert type_of_key(key) in (Type.INT, Type.IPV4, Type.IPV6, Type.STR, Type.BIN)
    assert isinstance(V4, IPv4)
    assert isinstance(V6, IPv6)
