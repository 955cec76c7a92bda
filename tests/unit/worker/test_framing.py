from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.worker.framing import (
    CHUNKED,
    LAST_CHUNK,
    UNTIL_CLOSE,
    BadBody,
    Body,
    ChunkedBody,
    CloseBody,
    LengthBody,
    body_of,
    chunk,
    decoded,
)


def read(body: Body, *pieces: bytes) -> bytes:
    """The payload of all pieces; stops where the body is complete."""
    out = b''
    for piece in pieces:
        assert not body.done
        out += body.feed(piece)
    return out


def test_a_length_takes_so_many_bytes_and_leaves_the_rest() -> None:
    body = LengthBody(5)
    assert read(body, b'ab', b'cdeXY') == b'abcde'
    assert body.done
    assert body.rest == b'XY'


def test_a_length_that_ends_exactly_leaves_nothing() -> None:
    body = LengthBody(3)
    assert read(body, b'abc') == b'abc'
    assert body.done
    assert body.rest == b''


def test_no_length_is_done_at_once() -> None:
    assert LengthBody(0).done


def test_until_close_takes_everything() -> None:
    body = CloseBody()
    assert read(body, b'a', b'b') == b'ab'
    assert not body.done


def test_body_of_chooses_the_decoder() -> None:
    assert isinstance(body_of(7), LengthBody)
    assert isinstance(body_of(CHUNKED), ChunkedBody)
    assert isinstance(body_of(UNTIL_CLOSE), CloseBody)


CODED = b'3;a=b\r\nabc\r\n0A \t;x\r\n0123456789\r\n0;last\r\nX-Trailer: 1\r\nY:\r\n\r\nGET /'


@pytest.mark.parametrize('at', range(1, len(CODED)))
def test_chunks_split_at_every_byte(at: int) -> None:
    body = ChunkedBody()
    out = body.feed(CODED[:at])
    if body.done:
        assert body.rest + CODED[at:] == b'GET /'
    else:
        out += body.feed(CODED[at:])
        assert body.rest == b'GET /'
    assert out == b'abc0123456789'
    assert body.done


def test_chunks_byte_by_byte() -> None:
    body, out = ChunkedBody(), b''
    for position in range(len(CODED)):
        out += body.feed(CODED[position : position + 1])
        if body.done:
            assert CODED[position + 1 :] == b'GET /'
            break
    assert out == b'abc0123456789'


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.data())
def test_what_was_framed_is_read_back(payloads: list[bytes], data: st.DataObject) -> None:
    coded = b''.join(map(chunk, payloads)) + LAST_CHUNK
    cuts = sorted(data.draw(st.lists(st.integers(0, len(coded)), max_size=8)))
    body, out, last = ChunkedBody(), b'', 0
    for cut in [*cuts, len(coded)]:
        if not body.done:
            out += body.feed(coded[last:cut])
        last = cut
    assert body.done
    assert out == b''.join(payloads)


@pytest.mark.parametrize(
    'coded',
    [
        b'+3\r\nabc\r\n', b'-1\r\n', b'0x3\r\nabc\r\n', b'3_0\r\n', b' 3\r\nabc\r\n', b'\r\n', b'g\r\n', b'3 \r\nabc\r\n',
        b'3\nabc\r\n', b'3\r\nabcX\r\n', b'3\r\nabc\n', b'3\r\nabc\rX', b'1234567890abcdef\r\n', b'3;\x00\r\nabc\r\n',
        b'3;a\rb\r\nabc\r\n', b'0\r\nno colon\r\n\r\n', b'0\r\n folded: 1\r\n\r\n', b'0\r\nX : 1\r\n\r\n', b'0\r\nX: \x01\r\n\r\n',
        b'3;' + b'x' * 2_000 + b'\r\nabc\r\n', b'3;' + b'x' * 2_000, b'0\r\n' + b'X: 12345678\r\n' * 1_000,
        b''.join(b'1;' + b'e' * 900 + b'\r\na\r\n' for _ in range(30)),
    ],
)  # fmt: skip
def test_malformed_chunks_are_refused(coded: bytes) -> None:
    with pytest.raises(BadBody):
        ChunkedBody().feed(coded)


def test_a_bad_end_of_chunk_is_refused_before_its_second_byte() -> None:
    body = ChunkedBody()
    assert body.feed(b'3\r\nabc') == b'abc'
    with pytest.raises(BadBody):
        body.feed(b'X')


def test_a_whole_piece_becomes_one_chunk() -> None:
    assert chunk(b'x' * 255) == b'ff\r\n' + b'x' * 255 + b'\r\n'


def paced(data: bytes, *later: bytes) -> tuple[bytes, int]:
    """The payload, with pieces that come in while there is more to look at, and in how many turns."""
    body, turns, coming = ChunkedBody(), 1, list(later)
    out = body.feed(data)
    while body.more:
        out += body.feed(coming.pop(0) if coming else b'')
        turns += 1
    assert body.done
    return out, turns


def test_tiny_chunks_are_looked_at_some_in_each_turn() -> None:
    data = b''.join(b'%x\r\n%b\r\n' % (1 + n % 3, b'xyz'[: 1 + n % 3]) for n in range(3_000)) + b'0\r\nT: 1\r\n\r\n'
    payload = b''.join(b'xyz'[: 1 + n % 3] for n in range(3_000))
    assert paced(data) == (payload, 12)
    assert paced(data[:5_000], data[5_000:7_001], data[7_001:]) == (payload, 12)
    assert decoded(data) == payload


def test_one_large_chunk_is_looked_at_in_one_turn() -> None:
    body = ChunkedBody()
    assert len(body.feed(b'fffff\r\n' + b'x' * 1_048_575)) == 1_048_575
    assert not body.more


def test_what_follows_the_last_chunk_is_kept_apart_however_many_there_were() -> None:
    body = ChunkedBody()
    body.feed(b'1\r\nx\r\n' * 1_000 + LAST_CHUNK + b'GET')
    while body.more:
        body.feed(b'')
    assert (body.done, body.rest) == (True, b'GET')


def test_a_fault_far_behind_is_found() -> None:
    body = ChunkedBody()
    body.feed(b'1\r\nx\r\n' * 1_000 + b'+1\r\n')
    for _ in range(2):
        body.feed(b'')
        assert body.more
    with pytest.raises(BadBody):
        body.feed(b'')
