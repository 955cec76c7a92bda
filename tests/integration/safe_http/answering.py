"""Rules 1-37 on the side of responses: what becomes a 502, what is cut, and what of the others a client gets.

The name of each case begins with its rule. `Bad`: nothing of it reaches the client, and its connection is never used again.
`Cut`: its beginning has been passed on, and the client can tell that the rest is missing. `Passed`: what the client gets, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.integration.safe_http.asking import CLOSE, END, GET, HOST, LAST

START: Final = b'HTTP/1.1 200 OK\r\n'
CHUNKED: Final = b'Transfer-Encoding: chunked\r\n'
CLOSES: Final = b'Connection: close\r\n\r\n'
TWO: Final = b'Content-Length: 2\r\n'


@dataclass(frozen=True)
class Bad:
    """The server answers so: 502 with these flags."""

    answer: bytes
    flags: str = 'PH--'
    request: bytes = GET + CLOSE


@dataclass(frozen=True)
class Cut:
    """The server answers so, and closes: the client gets `arrives`, which is no whole answer."""

    answer: bytes
    arrives: bytes
    flags: str = 'PD--'


@dataclass(frozen=True)
class Passed:
    """The server answers so to `request`: the client gets `arrives`, and its connection is used again, or not."""

    answer: bytes
    arrives: bytes
    request: bytes = GET + CLOSE
    again: bool = True


def length(field: bytes) -> Bad:
    """A length that is none."""
    return Bad(START + field + b'\r\n\r\nok')


def coding(field: bytes) -> Bad:
    """A coding that cannot be."""
    return Bad(START + b'Transfer-Encoding: ' + field + b'\r\n\r\n2\r\nok\r\n' + LAST)


def line(field: bytes) -> Bad:
    """A line that is none."""
    return Bad(START + TWO + field + b'\r\n\r\nok')


def chunks(body: bytes, arrives: bytes = b'') -> Cut:
    """A body whose coding breaks off."""
    return Cut(START + CHUNKED + END + body, START + CHUNKED + CLOSES + arrives)


BAD: Final = {
    'rule_02_lengths_differ': length(b'Content-Length: 2\r\nContent-Length: 3'),
    'rule_02_the_same_length_twice': length(b'Content-Length: 2\r\nContent-Length: 2'),
    'rule_02_a_list_of_the_same': length(b'Content-Length: 2, 2'),
    'rule_03_a_sign': length(b'Content-Length: +2'),
    'rule_03_hexadecimal': length(b'Content-Length: 0x2'),
    'rule_03_nothing': length(b'Content-Length:'),
    'rule_03_very_long': length(b'Content-Length: ' + b'9' * 19),
    'rule_04_chunked_twice': coding(b'chunked, chunked'),
    'rule_04_identity': coding(b'identity'),
    'rule_04_unknown': coding(b'x-chunked'),
    'rule_04_chunked_is_not_last': coding(b'chunked, gzip'),
    'rule_04_another_before_it': coding(b'gzip, chunked'),
    'rule_05_chunked_in_1_0': Bad(b'HTTP/1.0 200 OK\r\n' + CHUNKED + END + b'2\r\nok\r\n' + LAST),
    'rule_11_length_and_chunked': Bad(START + TWO + CHUNKED + END + b'2\r\nok\r\n' + LAST),
    'rule_11_chunked_and_length': Bad(START + CHUNKED + TWO + END + b'2\r\nok\r\n' + LAST),
    'rule_13_space_before_the_colon': line(b'X : 1'),
    'rule_14_folded': line(b'X: 1\r\n 2'),
    'rule_14_folded_with_a_tab': line(b'X: 1\r\n\t2'),
    'rule_15_bare_cr': line(b'X: 1\r2'),
    'rule_15_bare_lf': line(b'X: 1\n2'),
    'rule_15_nul': line(b'X: 1\x002'),
    'rule_15_lf_alone_ends_lines': Bad(b'HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n'),
    'rule_15_a_control_in_the_reason': Bad(b'HTTP/1.1 200 O\x01K\r\n' + TWO + END + b'ok'),
    'rule_16_a_bracket_in_a_name': line(b'X(: 1'),
    'rule_16_not_ascii_in_a_name': line(b'X\xe9: 1'),
    'rule_16_no_name': line(b': 1'),
    'rule_17_http_2_0': Bad(b'HTTP/2.0 200 OK\r\n' + TWO + END + b'ok'),
    'rule_17_http_1_2': Bad(b'HTTP/1.2 200 OK\r\n' + TWO + END + b'ok'),
    'rule_17_two_spaces': Bad(b'HTTP/1.1  200 OK\r\n' + TWO + END + b'ok'),
    'rule_17_no_status': Bad(b'HTTP/1.1 OK\r\n' + TWO + END + b'ok'),
    'rule_17_a_status_too_small': Bad(b'HTTP/1.1 099 OK\r\n' + TWO + END + b'ok'),
    'rule_17_a_status_too_large': Bad(b'HTTP/1.1 600 OK\r\n' + TWO + END + b'ok'),
    'rule_17_another_protocol': Bad(b'SSH-2.0-OpenSSH\r\n\r\n'),
    'rule_18_a_long_line': line(b'X: ' + b'a' * 20_000),
    'rule_18_a_line_without_end': Bad(START + b'X: ' + b'a' * 20_000),
    'rule_18_many_lines': line(b'\r\n'.join([b'X: a'] * 150)),
    'rule_26_switched_without_being_asked': Bad(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    'rule_26_switched_to_another_protocol': Bad(
        b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
        request=GET + b'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ),
    'rule_27_a_malformed_interim_answer': Bad(b'HTTP/1.1 103 Early\r\nX : 1\r\n\r\n' + START + TWO + END + b'ok'),
}  # fmt: skip

CUT: Final = {
    'rule_06_a_sign': chunks(b'+2\r\nok\r\n' + LAST),
    'rule_06_hexadecimal_prefix': chunks(b'0x2\r\nok\r\n' + LAST),
    'rule_06_bare_lf_behind_the_size': chunks(b'2\nok\r\n' + LAST),
    'rule_06_bare_lf_behind_the_data': chunks(b'2\r\nok\n' + LAST),
    'rule_06_too_many_digits': chunks(b'0' * 15 + b'2\r\nok\r\n' + LAST),
    'rule_06_an_endless_extension': chunks(b'2;' + b'a' * 2_000 + b'\r\nok\r\n' + LAST),
    'rule_08_a_malformed_trailer': chunks(b'0\r\nT : 1\r\n\r\n'),
    'rule_08_endless_trailers': chunks(b'0\r\n' + b'T: 1\r\n' * 3_000 + END),
    'rule_10_less_than_announced': Cut(
        START + b'Content-Length: 9\r\n\r\nok', START + b'Content-Length: 9\r\n' + CLOSES + b'ok', 'SD--'
    ),
    'rule_10_no_last_chunk': Cut(
        START + CHUNKED + b'\r\n2\r\nok\r\n', START + CHUNKED + CLOSES + b'2\r\nok\r\n', 'SD--'
    ),
    'rule_10_within_a_chunk': Cut(START + CHUNKED + b'\r\n9\r\nok', START + CHUNKED + CLOSES + b'2\r\nok\r\n', 'SD--'),
}  # fmt: skip

PASSED: Final = {
    'rule_03_a_length_is_written_anew': Passed(
        START + b'Content-Length:  002 \r\n\r\nok', START + b'Content-Length: 2\r\n' + CLOSES + b'ok'
    ),
    'rule_07_the_coding_is_written_anew': Passed(
        START + b'Transfer-Encoding:\tCHUNKED\r\n\r\n002;a=b\r\nok\r\n0;c\r\n\r\n',
        START + CHUNKED + CLOSES + b'2\r\nok\r\n0\r\n\r\n',
    ),
    'rule_07_a_body_until_the_end': Passed(b'HTTP/1.0 200 OK\r\n\r\nok', START + CLOSES + b'ok', again=False),
    'rule_07_chunks_to_1_0': Passed(
        START + CHUNKED + b'\r\n2\r\nok\r\n' + LAST, START + CLOSES + b'ok', b'GET / HTTP/1.0\r\n\r\n'
    ),
    'rule_08_trailers_end_here': Passed(
        START + b'Trailer: Set-Cookie\r\n' + CHUNKED + b'\r\n2\r\nok\r\n0\r\nSet-Cookie: evil\r\nContent-Length: 9\r\n\r\n',
        START + CHUNKED + CLOSES + b'2\r\nok\r\n0\r\n\r\n',
    ),
    'rule_10_head': Passed(
        START + TWO + END, START + TWO + CLOSES, b'HEAD / HTTP/1.1\r\n' + HOST + CLOSE
    ),
    'rule_10_head_chunked': Passed(
        START + CHUNKED + END, START + CLOSES, b'HEAD / HTTP/1.1\r\n' + HOST + CLOSE
    ),
    'rule_10_204': Passed(b'HTTP/1.1 204 No\r\n' + TWO + END, b'HTTP/1.1 204 No\r\n' + CLOSES),
    'rule_10_304': Passed(b'HTTP/1.1 304 Not\r\n' + TWO + END, b'HTTP/1.1 304 Not\r\n' + TWO + CLOSES),
    'rule_10_1xx': Passed(
        b'HTTP/1.1 103 Early\r\nContent-Length: 5\r\nLink: x\r\n\r\n' + START + TWO + END + b'ok',
        b'HTTP/1.1 103 Early\r\nLink: x\r\n\r\n' + START + TWO + CLOSES + b'ok',
    ),
    'rule_12_more_than_announced': Passed(START + TWO + b'\r\nokmore', START + TWO + CLOSES + b'ok', again=False),
    'rule_12_another_answer': Passed(START + TWO + b'\r\nok' + START + b'Content-Length: 4\r\n\r\nevil', START + TWO + CLOSES + b'ok', again=False),
    'rule_12_a_body_behind_204': Passed(b'HTTP/1.1 204 No\r\n' + TWO + b'\r\nok', b'HTTP/1.1 204 No\r\n' + CLOSES, again=False),
    'rule_12_a_body_behind_head': Passed(
        START + TWO + b'\r\nok', START + TWO + CLOSES, b'HEAD / HTTP/1.1\r\n' + HOST + CLOSE, again=False
    ),
    'rule_12_more_behind_the_last_chunk': Passed(
        START + CHUNKED + b'\r\n' + LAST + b'x', START + CHUNKED + CLOSES + LAST, again=False
    ),
    'rule_16_not_ascii_in_a_value': Passed(
        START + TWO + b'X: \xe9\xff\x80\r\n\r\nok', START + TWO + b'X: \xe9\xff\x80\r\n' + CLOSES + b'ok'
    ),
    'rule_17_no_reason': Passed(b'HTTP/1.1 200\r\n' + TWO + b'\r\nok', b'HTTP/1.1 200\r\n' + TWO + CLOSES + b'ok'),
    'rule_17_an_older_version': Passed(
        b'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n' + TWO + b'\r\nok', START + TWO + CLOSES + b'ok'
    ),
    'rule_24_fields_of_one_hop': Passed(
        START + b'Connection: keep-alive, X-Hop, Content-Length, Set-Cookie\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n'
        b'Proxy-Authenticate: x\r\nProxy-Connection: y\r\nTE: z\r\nSet-Cookie: c\r\n' + TWO + b'X-End: 1\r\n\r\nok',
        START + b'Set-Cookie: c\r\n' + TWO + b'X-End: 1\r\n' + CLOSES + b'ok',
    ),
    'rule_25_no_trailer_is_announced': Passed(
        START + b'Trailer: X-Sum\r\n' + CHUNKED + b'\r\n0\r\nX-Sum: 1\r\n\r\n', START + CHUNKED + CLOSES + LAST
    ),
    'rule_27_interim_to_1_1': Passed(
        b'HTTP/1.1 103 Early\r\nLink: x\r\nConnection: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n' + START + TWO + b'\r\nok',
        b'HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n' + START + TWO + CLOSES + b'ok',
    ),
    'rule_27_no_interim_to_1_0': Passed(
        b'HTTP/1.1 103 Early\r\nLink: x\r\n\r\n' + START + TWO + b'\r\nok', START + TWO + CLOSES + b'ok', b'GET / HTTP/1.0\r\n\r\n'
    ),
    'rule_29_via_as_it_came': Passed(
        START + TWO + b'Via: 1.1 inner\r\n\r\nok', START + TWO + b'Via: 1.1 inner\r\n' + CLOSES + b'ok'
    ),
    'rule_37_date_and_server_as_they_came': Passed(
        START + b'Date: then\r\nServer: it\r\n' + TWO + b'\r\nok', START + b'Date: then\r\nServer: it\r\n' + TWO + CLOSES + b'ok'
    ),
    'rule_37_no_date_is_added': Passed(START + TWO + b'\r\nok', START + TWO + CLOSES + b'ok'),
}  # fmt: skip
