"""The last faulty messages: one per proxy and side, bounded, and where their form is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from dataplane.core.model import Backend, Bind, Frontend, Server, Snapshot
from dataplane.core.tables import Tables
from dataplane.worker.faults import Faults, position
from dataplane.worker.framing import BadBody
from dataplane.worker.head import BadHead, parse_request, parse_response

FRONT = Frontend(name='fe', id=2, binds=(Bind(name='b', port=80),), maxconn=10)
SERVER = Server(name='a', id=4, host='h', port=1)
BACK = Backend(name='be', id=3, servers=(SERVER,))
TABLES = Tables(1, Snapshot(frontends=(FRONT,), backends=(BACK,)), {0: FRONT}, {0: BACK}, {0: SERVER}, {0: (0,)})


@dataclass
class Client:
    address: str = '10.0.0.1'
    port: int = 5


def made(limit: int = 100) -> Faults:
    faults = Faults()
    faults.adopt(TABLES, limit)
    return faults


def test_a_request() -> None:
    faults = made()
    faults.request(FRONT, Client(), b'GET / HTTP/1.1\r\nX Y: z\r\n\r\n', BadHead('malformed'))
    [row] = faults.rows()
    assert row.pop('when') > 0
    assert row == {
        'side': 'request', 'number': 0, 'proxy': ('fe', 2), 'other': ('<NONE>', -1), 'server': ('<NONE>', -1), 'source': '10.0.0.1:5',
        'data': 'GET / HTTP/1.1\r\nX Y: z\r\n\r\n', 'position': 17, 'reason': 'malformed', 'limit': 100,
    }  # fmt: skip


def test_a_response_of_a_server_that_is_known_or_not() -> None:
    faults = made()
    faults.response(BACK, SERVER, FRONT, Client(), b'HTTP/1.1 OK\r\n\r\n', BadHead('malformed'))
    [row] = faults.rows()
    assert (row['side'], row['proxy'], row['other'], row['server']) == ('response', ('be', 3), ('fe', 2), ('a', 4))
    assert row['position'] == 9
    faults.response(BACK, None, FRONT, Client(), b'x', BadHead('malformed'))
    [row] = faults.rows()
    assert (row['server'], row['number']) == (('<NONE>', -1), 1)


def test_the_next_one_of_a_proxy_takes_its_place_and_no_more_than_a_buffer_is_kept() -> None:
    faults = made(limit=10)
    for number in range(20):
        faults.request(FRONT, Client(), b'\xff' * (number + 5), BadHead('malformed'))
    [row] = faults.rows()
    assert (row['number'], row['data'], faults.total) == (19, '\xff' * 10, 20)


def test_a_body_has_no_head_to_be_wrong_in() -> None:
    faults = made()
    faults.request(FRONT, Client(), b'zz\r\n', BadBody('not a chunk size'))
    faults.response(BACK, SERVER, FRONT, Client(), b'zz\r\n', BadBody('not a chunk size'))
    assert [row['position'] for row in faults.rows()] == [0, 0]


def test_proxies_that_are_no_more_are_forgotten() -> None:
    faults = made()
    faults.request(FRONT, Client(), b'x', BadHead('malformed'))
    faults.request(replace(FRONT, name='other'), Client(), b'x', BadHead('malformed'))
    faults.response(replace(BACK, name='gone'), None, FRONT, Client(), b'x', BadHead('malformed'))
    faults.adopt(TABLES, 100)
    assert [row['proxy'] for row in faults.rows()] == [('fe', 2)]
    assert faults.total == 3


@pytest.mark.parametrize(
    'raw,at',
    [
        (b' GET / HTTP/1.1\r\n\r\n', 0),
        (b'G(T / HTTP/1.1\r\n\r\n', 1),
        (b'GET /a b HTTP/1.1\r\n\r\n', 7),
        (b'GET / HTTP/2.0\r\n\r\n', 6),
        (b'GET / HTTP/1.1\n\n', 14),
        (b'GET / HTTP/1.1\r\nHost: a\r\nA:\x00\r\n\r\n', 27),
        (b'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n', 25),
        (b'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 20),
    ],
)
def test_where_a_request_is_wrong(raw: bytes, at: int) -> None:
    faults = made()
    with pytest.raises(BadHead) as bad:
        parse_request(raw, 100)
    faults.request(FRONT, Client(), raw, bad.value)
    assert next(faults.rows())['position'] == at


@pytest.mark.parametrize(
    'raw,at', [(b'HTTP/1.1 600 x\r\n\r\n', 9), (b'ICY 200 OK\r\n\r\n', 0), (b'HTTP/1.1 200 OK\r\nA b: c\r\n\r\n', 18)]
)
def test_where_a_response_is_wrong(raw: bytes, at: int) -> None:
    faults = made()
    with pytest.raises(BadHead) as bad:
        parse_response(raw, 100)
    faults.response(BACK, SERVER, FRONT, Client(), raw, bad.value)
    assert next(faults.rows())['position'] == at


def test_what_is_wrong_in_its_meaning_only_is_wrong_at_no_place() -> None:
    raw = b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
    with pytest.raises(BadHead) as bad:
        parse_request(raw, 100)
    faults = made()
    faults.request(FRONT, Client(), raw, bad.value)
    row = next(faults.rows())
    assert (row['position'], row['reason']) == (0, 'more than one Host field')
    assert position(b'', ()) == 0
