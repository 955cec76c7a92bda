"""Forwarded fields: what is one, and what it says."""

from __future__ import annotations

import pytest

from dataplane.rules.rfc7239 import elements, is_obfuscated, node_name, node_port, parameter
from dataplane.rules.samples import parse_address


@pytest.mark.parametrize(
    'value, expected',
    [
        ('for=1.2.3.4', [{'for': b'1.2.3.4'}]),
        ('For="[2001:db8::1]:47"', [{'for': b'[2001:db8::1]:47'}]),
        ('for=192.0.2.60;proto=http;by=203.0.113.43', [{'for': b'192.0.2.60', 'proto': b'http', 'by': b'203.0.113.43'}]),
        ('for=_gazonk, for=unknown', [{'for': b'_gazonk'}, {'for': b'unknown'}]),
        ('host="a\\.b:80" ,\tx=y', [{'host': b'a.b:80'}, {'x': b'y'}]),
        ('', None), ('for', None), ('for=', None), ('for=1.2.3', None), ('for=name', None), ('for=1.2.3.4;', None), ('for=a b', None),
        ('for=1.2.3.4;for=1.2.3.4', None), ('for=[::1]', None), ('for="::1"', None), ('host="a b"', None), ('proto=1', None),
        ('for=1.2.3.4 proto=http', None), ('for=1.2.3.4,', None), ('for="1.2.3.4', None), ('for="1.2.3.4:x"', None),
    ],
)  # fmt: skip
def test_elements(value: str, expected: object) -> None:
    assert elements(value.encode()) == expected


def test_a_parameter_is_that_of_the_first_element_that_has_it() -> None:
    assert parameter(b'by=_a, for=_b, for=_c', 'for') == b'_b'
    assert parameter(b'by=_a', 'for') is None
    assert parameter(b'by=_a;', 'by') is None


@pytest.mark.parametrize(
    'node, name, port',
    [
        (b'1.2.3.4', parse_address('1.2.3.4'), None),
        (b'1.2.3.4:80', parse_address('1.2.3.4'), 80),
        (b'[::1]:_p', parse_address('::1'), b'_p'),
        (b'unknown:1', b'unknown', 1),
        (b'_x.y', b'_x.y', None),
        (b'1.2.3.4:65536', parse_address('1.2.3.4'), None),
        (b'[1.2.3.4]', None, None),
        (b'::1', None, None),
        (b'x:80', None, None),
    ],
)
def test_nodes(node: bytes, name: object, port: object) -> None:
    assert (node_name(node), node_port(node)) == (name, port)


def test_obfuscated_names_begin_with_an_underscore() -> None:
    assert is_obfuscated(b'_a-b.c_')
    assert not is_obfuscated(b'a')
    assert not is_obfuscated(b'_a b')
