"""Samples through JSON and back."""

from __future__ import annotations

import json

import pytest

from dataplane.rules.packing import packed, packed_rows, unpacked, unpacked_rows
from dataplane.rules.samples import Binary, IPv4, IPv6, Method

SAMPLES = [
    b'',
    b'text',
    'ü'.encode(),
    b'\xff\x00',
    True,
    False,
    0,
    -5,
    1 << 62,
    IPv4(7),
    IPv6(1 << 100),
    Binary(b'\xc0\xff'),
    Method(b'GET'),
    None,
]


@pytest.mark.parametrize('sample', SAMPLES, ids=repr)
def test_a_sample_comes_back(sample: object) -> None:
    back = unpacked(json.loads(json.dumps(packed(sample))))
    assert back == sample
    assert type(back) is type(sample)


def test_rows() -> None:
    rows = [(b'\xffk', ((1, b'v'), (2, None))), (b'gone', ())]
    assert unpacked_rows(json.loads(json.dumps(packed_rows(rows)))) == rows


@pytest.mark.parametrize('data', [['nope', '1'], ['int', 'x'], 5])
def test_what_is_none_of_ours(data: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        unpacked(data)
