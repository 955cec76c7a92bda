"""Types and casts (configuration manual 7.1, 7.3)."""

from __future__ import annotations

import pytest

from dataplane.rules.samples import (
    MAX_INT,
    MIN_INT,
    Binary,
    IPv4,
    IPv6,
    Method,
    Sample,
    Type,
    address_text,
    cast,
    caster,
    clamped,
    leading_integer,
    mapped_v4,
    may_cast,
    parse_address,
    to_v4,
    to_v6,
    type_of,
    wrapped,
)  # fmt: skip

SAMPLES: dict[Type, Sample] = {
    Type.BOOL: True, Type.INT: 7, Type.IPV4: IPv4(0x01020304), Type.IPV6: IPv6(1), Type.STR: b'5', Type.BIN: Binary(b'5\0x'),
    Type.METHOD: Method(b'GET'),
}  # fmt: skip


def test_a_sample_says_its_type() -> None:
    assert {type_of(sample): sample for sample in SAMPLES.values()} == SAMPLES


@pytest.mark.parametrize('wanted', Type)
@pytest.mark.parametrize('source', SAMPLES)
def test_what_may_be_cast_is_cast_to_what_was_wanted(source: Type, wanted: Type) -> None:
    found = cast(SAMPLES[source], wanted)
    if not may_cast(source, wanted):
        assert found is None
        return
    static = caster(source, wanted)
    assert found == (SAMPLES[source] if static is None else static(SAMPLES[source]))
    if found is not None and wanted in (Type.BOOL, Type.INT, Type.IPV4, Type.IPV6, Type.METHOD):
        assert type_of(found) is wanted


@pytest.mark.parametrize(
    'sample, wanted, expected',
    [
        (True, Type.STR, b'1'), (False, Type.INT, 0), (7, Type.BOOL, True), (-1, Type.STR, b'-1'), (1, Type.IPV4, IPv4(1)),
        (-1, Type.ADDRESS, IPv4(0xFFFFFFFF)), (1, Type.IPV6, IPv6(0xFFFF << 32 | 1)), (5, Type.BIN, Binary(bytes(7) + b'\5')),
        (IPv4(5), Type.INT, 5), (IPv4(5), Type.STR, b'0.0.0.5'), (IPv4(5), Type.BIN, Binary(b'\0\0\0\5')), (IPv6(5), Type.IPV4, None),
        (IPv6(0xFFFF << 32 | 5), Type.IPV4, IPv4(5)), (b'-12x', Type.INT, -12), (b'x', Type.INT, 0), (b'0', Type.BOOL, False),
        (b'1.2.3.4:80', Type.ADDRESS, IPv4(0x01020304)), (b'01.2.3.4 ', Type.IPV4, IPv4(0x01020304)), (b'1.2.3', Type.ADDRESS, None),
        (b'1.2.3.4.5', Type.ADDRESS, None), (b'1.2.3.256', Type.ADDRESS, None), (b'::1', Type.IPV4, None), (b'::1', Type.IPV6, IPv6(1)),
        (b'1.2.3.4', Type.IPV6, None), (Binary(b'a\0b'), Type.STR, b'a'), (b'GET', Type.METHOD, Method(b'GET')), (Method(b'GET'), Type.STR, b'GET'),
    ],
)  # fmt: skip
def test_casts(sample: Sample, wanted: Type, expected: Sample | None) -> None:
    found = cast(sample, wanted)
    assert found == expected
    assert type(found) is type(expected)


def test_numbers_are_of_64_bits() -> None:
    assert (clamped(MAX_INT + 1), clamped(MIN_INT - 1), clamped(5)) == (MAX_INT, MIN_INT, 5)
    assert (wrapped(MAX_INT + 1), wrapped(MIN_INT - 1), wrapped(5), wrapped((1 << 64) - 1)) == (MIN_INT, MAX_INT, 5, -1)
    assert leading_integer(b'9' * 100) == MAX_INT
    assert leading_integer(b'-' + b'9' * 100) == MIN_INT
    assert leading_integer(b'000000000000000000000000000012') == 12


@pytest.mark.parametrize(
    'text', ['1.2.3.4', '0.0.0.0', '255.255.255.255', '::', '::1', '2001:db8::1', '::ffff:1.2.3.4', '1::', '1:2:3:4:5:6:7:8', '::1.2.3.4', 'fe80::1:0']
)  # fmt: skip
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert address_text(address).decode() == text


@pytest.mark.parametrize(
    'text', ['', 'x', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '1::2::3', '::1%eth0', '[::1]', '1.2.3.4 ', ':::']
)
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_the_two_kinds_of_addresses_stand_for_each_other() -> None:
    v4 = IPv4(0x01020304)
    assert to_v4(to_v6(v4)) == mapped_v4(to_v6(v4)) == v4
    assert to_v4(IPv6(0x01020304)) == v4
    assert mapped_v4(IPv6(0x01020304)) is None
    assert to_v4(IPv6(0x2002 << 112 | 0x01020304 << 80)) == v4
    assert to_v4(IPv6(1 << 100)) is None
