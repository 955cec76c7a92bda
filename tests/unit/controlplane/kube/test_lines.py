from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.kube.lines import Lines, LineTooLong


@given(st.lists(st.binary(max_size=40).map(lambda text: text.replace(b'\n', b'x') + b'.')), st.data())
def test_lines_come_whole_however_their_bytes_arrive(wanted: list[bytes], data: st.DataObject) -> None:
    stream = b''.join(line + b'\n' for line in wanted)
    lines, got = Lines(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += lines.feed(stream[:size])
        stream = stream[size:]
    assert got == wanted
    assert lines.begun == 0


def test_a_line_that_was_cut_off_is_known_to_be_begun() -> None:
    lines = Lines()
    assert lines.feed(b'{"a":1}\n{"b"') == [b'{"a":1}']
    assert lines.begun == 4
    assert lines.feed(b':2}') == []
    assert lines.feed(b'\n') == [b'{"b":2}']
    assert lines.begun == 0


def test_empty_lines_are_nothing() -> None:
    assert Lines().feed(b'\n \r\n{}\n\n') == [b'{}']


def test_a_line_without_end_is_refused_before_it_eats_the_memory() -> None:
    lines = Lines(longest=10)
    lines.feed(b'12345')
    with pytest.raises(LineTooLong):
        lines.feed(b'678901')
    with pytest.raises(LineTooLong):
        Lines(longest=10).feed(b'1\n' + b'2' * 11)


def test_a_long_line_in_many_pieces_is_joined_once() -> None:
    lines, piece = Lines(), b'x' * 1_000
    began = time.perf_counter()
    for _ in range(20_000):
        assert lines.feed(piece) == []
    (line,) = lines.feed(b'\n')
    assert len(line) == 20_000_000
    assert time.perf_counter() - began < 1.5
