"""Rules 1-37 on the side of requests: what is refused with which status, and what of the others a server gets.

The name of each case begins with its rule. `Refused` also means: nothing of it reaches the server, the answer is the last thing
on the connection, and the log says who ended it. `Sent`: what the server gets, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOST: Final = b'Host: a\r\n'
GET: Final = b'GET / HTTP/1.1\r\n' + HOST
POST: Final = b'POST / HTTP/1.1\r\n' + HOST
OPTIONS: Final = b'OPTIONS * HTTP/1.1\r\n' + HOST
END: Final = b'\r\n'
CLOSE: Final = b'Connection: close\r\n\r\n'
CHUNKED: Final = b'Transfer-Encoding: chunked\r\n'
LAST: Final = b'0\r\n\r\n'


@dataclass(frozen=True)
class Refused:
    """Sent on a new connection; answered `status`, logged with `flags`."""

    raw: bytes
    status: int = 400
    flags: str = 'PR--'
    section: str = 'plain'


@dataclass(frozen=True)
class Sent:
    """Sent on a new connection, with `Connection: close` for it to end; the server gets `arrives`."""

    raw: bytes
    arrives: bytes
    section: str = 'plain'


def chunks(body: bytes) -> bytes:
    """A request whose body is coded so."""
    return POST + CHUNKED + END + body


def length(field: bytes) -> bytes:
    """A request whose length is said so."""
    return POST + field + END + END


def field(line: bytes) -> bytes:
    """A request with one more line."""
    return GET + line + END + END


REFUSED: Final = {
    # -- framing
    'rule_01_length_and_chunked': Refused(POST + b'Content-Length: 5\r\n' + CHUNKED + END + LAST),
    'rule_01_chunked_and_length': Refused(POST + CHUNKED + b'Content-Length: 5\r\n\r\n' + LAST),
    'rule_02_lengths_differ': Refused(POST + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\n'),
    'rule_02_the_same_length_twice': Refused(POST + b'Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde'),
    'rule_02_a_list_of_the_same': Refused(length(b'Content-Length: 5, 5')),
    'rule_03_a_sign': Refused(length(b'Content-Length: +5')),
    'rule_03_negative': Refused(length(b'Content-Length: -5')),
    'rule_03_hexadecimal': Refused(length(b'Content-Length: 0x5')),
    'rule_03_nothing': Refused(length(b'Content-Length:')),
    'rule_03_a_blank_within': Refused(length(b'Content-Length: 1 2')),
    'rule_03_an_underscore': Refused(length(b'Content-Length: 1_2')),
    'rule_03_a_fraction': Refused(length(b'Content-Length: 5.0')),
    'rule_03_very_long': Refused(length(b'Content-Length: ' + b'9' * 19)),
    'rule_03_other_digits': Refused(length(b'Content-Length: \xd9\xa5')),
    'rule_04_chunked_twice': Refused(length(b'Transfer-Encoding: chunked, chunked')),
    'rule_04_chunked_in_two_lines': Refused(POST + CHUNKED + CHUNKED + END + LAST),
    'rule_04_identity': Refused(length(b'Transfer-Encoding: identity')),
    'rule_04_unknown': Refused(length(b'Transfer-Encoding: x-chunked')),
    'rule_04_nothing': Refused(length(b'Transfer-Encoding:')),
    'rule_04_chunked_is_not_last': Refused(length(b'Transfer-Encoding: chunked, gzip')),
    'rule_04_a_parameter': Refused(length(b'Transfer-Encoding: chunked;q=1')),
    'rule_04_in_quotes': Refused(length(b'Transfer-Encoding: "chunked"')),
    'rule_04_behind_a_control': Refused(length(b'Transfer-Encoding: \x0bchunked')),
    'rule_04_another_before_it': Refused(length(b'Transfer-Encoding: gzip, chunked'), 501),
    'rule_05_chunked_in_1_0': Refused(b'POST / HTTP/1.0\r\n' + CHUNKED + END + LAST),
    'rule_06_a_sign': Refused(chunks(b'+5\r\nabcde\r\n' + LAST)),
    'rule_06_hexadecimal_prefix': Refused(chunks(b'0x5\r\nabcde\r\n' + LAST)),
    'rule_06_an_underscore': Refused(chunks(b'0_5\r\nabcde\r\n' + LAST)),
    'rule_06_a_blank_before': Refused(chunks(b' 5\r\nabcde\r\n' + LAST)),
    'rule_06_a_blank_behind': Refused(chunks(b'5 \r\nabcde\r\n' + LAST)),
    'rule_06_no_size': Refused(chunks(b'\r\nabcde\r\n' + LAST)),
    'rule_06_too_many_digits': Refused(chunks(b'0' * 15 + b'5\r\nabcde\r\n' + LAST)),
    'rule_06_bare_lf_behind_the_size': Refused(chunks(b'5\nabcde\r\n' + LAST)),
    'rule_06_bare_lf_behind_the_data': Refused(chunks(b'5\r\nabcde\n' + LAST)),
    'rule_06_bare_cr_behind_the_size': Refused(chunks(b'5\rabcde\r\n' + LAST)),
    'rule_06_more_data_than_said': Refused(chunks(b'5\r\nabcdefg\r\n' + LAST)),
    'rule_06_bare_lf_in_an_extension': Refused(chunks(b'5;a\nb\r\nabcde\r\n' + LAST)),
    'rule_06_a_control_in_an_extension': Refused(chunks(b'5;a\x00b\r\nabcde\r\n' + LAST)),
    'rule_06_an_endless_extension': Refused(chunks(b'5;' + b'a' * 2_000 + b'\r\nabcde\r\n' + LAST)),
    'rule_06_an_extension_without_end': Refused(chunks(b'5;' + b'a' * 2_000)),
    'rule_06_extensions_of_many_chunks': Refused(chunks((b'1;' + b'a' * 1_000 + b'\r\nx\r\n') * 20 + LAST)),
    'rule_08_a_malformed_trailer': Refused(chunks(b'0\r\nT : 1\r\n\r\n')),
    'rule_08_a_folded_trailer': Refused(chunks(b'0\r\nT: 1\r\n 2\r\n\r\n')),
    'rule_08_endless_trailers': Refused(chunks(b'0\r\n' + b'T: 1\r\n' * 3_000 + END)),
    # -- syntax
    'rule_13_space_before_the_colon': Refused(field(b'X : 1')),
    'rule_13_tab_before_the_colon': Refused(field(b'X\t: 1')),
    'rule_13_space_before_the_name': Refused(b'GET / HTTP/1.1\r\n X: 1\r\n' + HOST + END),
    'rule_14_folded_with_a_space': Refused(field(b'X: 1\r\n 2')),
    'rule_14_folded_with_a_tab': Refused(field(b'X: 1\r\n\t2')),
    'rule_15_bare_cr': Refused(field(b'X: 1\r2')),
    'rule_15_bare_lf': Refused(field(b'X: 1\n2')),
    'rule_15_lf_alone_ends_lines': Refused(b'GET / HTTP/1.1\nHost: a\n\n'),
    'rule_15_nul': Refused(field(b'X: 1\x002')),
    'rule_15_another_control': Refused(field(b'X: 1\x012')),
    'rule_15_delete': Refused(field(b'X: 1\x7f2')),
    'rule_15_nul_in_a_name': Refused(field(b'X\x00: 1')),
    'rule_15_cr_in_the_target': Refused(b'GET /\ra HTTP/1.1\r\n' + HOST + END),
    'rule_16_a_bracket_in_a_name': Refused(field(b'X(: 1')),
    'rule_16_not_ascii_in_a_name': Refused(field(b'X\xe9: 1')),
    'rule_16_no_name': Refused(field(b': 1')),
    'rule_16_no_colon': Refused(field(b'X')),
    'rule_16_not_ascii_in_the_target': Refused('GET /é HTTP/1.1\r\n'.encode() + HOST + END),
    'rule_17_two_spaces': Refused(b'GET  / HTTP/1.1\r\n' + HOST + END),
    'rule_17_two_spaces_before_the_version': Refused(b'GET /  HTTP/1.1\r\n' + HOST + END),
    'rule_17_a_tab': Refused(b'GET\t/ HTTP/1.1\r\n' + HOST + END),
    'rule_17_a_space_at_the_end': Refused(b'GET / HTTP/1.1 \r\n' + HOST + END),
    'rule_17_a_space_at_the_beginning': Refused(b' GET / HTTP/1.1\r\n' + HOST + END),
    'rule_17_a_space_in_the_target': Refused(b'GET /a b HTTP/1.1\r\n' + HOST + END),
    'rule_17_no_target': Refused(b'GET HTTP/1.1\r\n' + HOST + END),
    'rule_17_method_is_no_token': Refused(b'G@T / HTTP/1.1\r\n' + HOST + END),
    'rule_17_http_0_9': Refused(b'GET /\r\n\r\n'),
    'rule_17_http_2_0': Refused(b'GET / HTTP/2.0\r\n' + HOST + END),
    'rule_17_http_2_preface': Refused(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    'rule_17_http_1_2': Refused(b'GET / HTTP/1.2\r\n' + HOST + END),
    'rule_17_more_digits': Refused(b'GET / HTTP/1.10\r\n' + HOST + END),
    'rule_17_lower_case': Refused(b'GET / http/1.1\r\n' + HOST + END),
    'rule_17_tls_to_a_plain_port': Refused(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    'rule_18_a_long_line': Refused(field(b'X: ' + b'a' * 20_000)),
    'rule_18_a_line_without_end': Refused(GET + b'X: ' + b'a' * 20_000),
    'rule_18_many_lines': Refused(GET + b'X: a\r\n' * 150 + END),
    'rule_18_a_long_target': Refused(b'GET /' + b'a' * 20_000 + b' HTTP/1.1\r\n' + HOST + END),
    # -- host and target
    'rule_19_no_host': Refused(b'GET / HTTP/1.1\r\n\r\n'),
    'rule_19_two_hosts': Refused(GET + HOST + END),
    'rule_19_two_hosts_that_differ': Refused(GET + b'HOST: b\r\n\r\n'),
    'rule_19_a_path_in_host': Refused(b'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'),
    'rule_19_two_in_one': Refused(b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'),
    'rule_21_connect': Refused(b'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 405),
    'rule_21_authority_form': Refused(b'GET a:80 HTTP/1.1\r\n' + HOST + END),
    'rule_21_asterisk': Refused(b'GET * HTTP/1.1\r\n' + HOST + END),
    'rule_21_no_slash': Refused(b'GET a HTTP/1.1\r\n' + HOST + END),
    'rule_21_another_scheme': Refused(b'GET ftp://a/ HTTP/1.1\r\n' + HOST + END),
    'rule_22_nul_in_the_path': Refused(b'GET /a%00b HTTP/1.1\r\n' + HOST + END),
    'rule_22_nul_in_the_query': Refused(b'GET /?a=%00 HTTP/1.1\r\n' + HOST + END),
    'rule_22_fragment': Refused(b'GET /a#b HTTP/1.1\r\n' + HOST + END),
    'rule_23_user_in_the_target': Refused(b'GET http://u:p@a/ HTTP/1.1\r\n' + HOST + END),
    'rule_23_user_in_host': Refused(b'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'),
    # -- what is between two hops
    'rule_27_another_expectation': Refused(field(b'Expect: more'), 417),
    'rule_27_one_too_many': Refused(field(b'Expect: 100-continue, more'), 417),
    'rule_28_trace': Refused(b'TRACE / HTTP/1.1\r\n' + HOST + END, 405),
    'rule_28_max_forwards_is_digits': Refused(OPTIONS + b'Max-Forwards: -1\r\n\r\n'),
    'rule_29_a_loop_where_it_is_looked_for': Refused(GET + b'Via: 1.1 other, 1.1 here\r\n' + END, 403, 'PR--', 'via'),
    'rule_31_rejected_where_it_is_wished': Refused(field(b'X_Y: 1'), 403, 'PR--', 'reject'),
    'rule_33_a_proxy_line': Refused(b'PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n' + GET + END),
    'rule_33_a_binary_proxy_header': Refused(b'\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c' + b'\x7f\x00\x00\x01' * 3 + GET + END),
}  # fmt: skip

SENT: Final = {
    'rule_03_a_length_is_written_anew': Sent(
        POST + b'Content-Length:  003 \r\n' + CLOSE + b'abc', POST + b'Content-Length: 3\r\n\r\nabc'
    ),
    'rule_06_extensions_end_here': Sent(
        POST + CHUNKED + CLOSE + b'3;a=b\r\nabc\r\n0;c="d"\r\n\r\n', POST + CHUNKED + END + b'3\r\nabc\r\n0\r\n\r\n'
    ),
    'rule_07_the_coding_is_written_anew': Sent(
        POST + b'Transfer-Encoding:\tCHUNKED\r\n' + CLOSE + b'003\r\nabc\r\n' + LAST,
        POST + CHUNKED + END + b'3\r\nabc\r\n0\r\n\r\n',
    ),
    'rule_08_trailers_end_here': Sent(
        POST + b'Trailer: Host\r\n' + CHUNKED + CLOSE + b'3\r\nabc\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n',
        POST + CHUNKED + END + b'3\r\nabc\r\n0\r\n\r\n',
    ),
    'rule_16_not_ascii_in_a_value': Sent(GET + b'X: \xe9\xff\x80\r\n' + CLOSE, GET + b'X: \xe9\xff\x80\r\n\r\n'),
    'rule_17_any_token_is_a_method': Sent(b"M-!#$%&'*+.^_`|~ / HTTP/1.1\r\n" + HOST + CLOSE, b"M-!#$%&'*+.^_`|~ / HTTP/1.1\r\n" + HOST + END),
    'rule_19_http_1_0_needs_none': Sent(b'GET / HTTP/1.0\r\n\r\n', b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'),
    'rule_20_absolute_form': Sent(b'GET http://b:8/p?q HTTP/1.1\r\nHost: a\r\n' + CLOSE, b'GET /p?q HTTP/1.1\r\nHost: b:8\r\n\r\n'),
    'rule_20_without_a_path': Sent(b'GET HTTP://b HTTP/1.1\r\nHost: a\r\n' + CLOSE, b'GET / HTTP/1.1\r\nHost: b\r\n\r\n'),
    'rule_20_with_a_query_alone': Sent(b'GET http://b?q HTTP/1.1\r\nHost: a\r\n' + CLOSE, b'GET /?q HTTP/1.1\r\nHost: b\r\n\r\n'),
    'rule_20_in_1_0': Sent(b'GET http://b/ HTTP/1.0\r\n\r\n', b'GET / HTTP/1.0\r\nHost: b\r\nConnection: keep-alive\r\n\r\n'),
    'rule_21_asterisk_with_options': Sent(OPTIONS + CLOSE, OPTIONS + END),
    'rule_21_options_without_a_path': Sent(b'OPTIONS http://a HTTP/1.1\r\nHost: a\r\n' + CLOSE, OPTIONS + END),
    'rule_22_the_path_as_it_came': Sent(
        b'GET /a//b/../%7e%2F?x=%zz&%2e HTTP/1.1\r\n' + HOST + CLOSE, b'GET /a//b/../%7e%2F?x=%zz&%2e HTTP/1.1\r\n' + HOST + END
    ),
    'rule_24_fields_of_one_hop': Sent(
        GET + b'Keep-Alive: 5\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\n'
        b'Proxy-Authenticate: y\r\nUpgrade: h2c\r\nHTTP2-Settings: z\r\nX-End: 1\r\nConnection: close, X-Hop, x-none\r\n\r\n',
        GET + b'X-End: 1\r\n\r\n',
    ),
    'rule_24_what_none_may_take_away': Sent(
        POST + b'Content-Length: 1\r\nAuthorization: x\r\nCookie: c\r\nForwarded: f\r\nX-Forwarded-For: g\r\nX-Real-IP: h\r\n'
        b'Connection: close, Host, Content-Length, Authorization, cookie, Forwarded, X-Forwarded-For, X-Real-IP\r\n\r\nx',
        POST + b'Content-Length: 1\r\nAuthorization: x\r\nCookie: c\r\nForwarded: f\r\nX-Forwarded-For: g\r\nX-Real-IP: h\r\n\r\nx',
    ),
    'rule_24_transfer_encoding_nominated': Sent(
        POST + CHUNKED + b'Connection: close, Transfer-Encoding\r\n\r\n3\r\nabc\r\n' + LAST,
        POST + CHUNKED + END + b'3\r\nabc\r\n0\r\n\r\n',
    ),
    'rule_25_no_trailer_is_announced': Sent(
        POST + b'Trailer: X-Sum\r\n' + CHUNKED + CLOSE + b'0\r\nX-Sum: 1\r\n\r\n', POST + CHUNKED + END + b'0\r\n\r\n'
    ),
    'rule_26_another_protocol': Sent(
        GET + b'Upgrade: h2c\r\nConnection: close, Upgrade, HTTP2-Settings\r\nHTTP2-Settings: z\r\n\r\n', GET + END
    ),
    'rule_26_websocket_and_another': Sent(
        GET + b'Upgrade: websocket, h2c\r\nConnection: close, Upgrade\r\n\r\n', GET + END
    ),
    'rule_26_websocket_by_post': Sent(
        POST + b'Upgrade: websocket\r\nConnection: close, Upgrade\r\nContent-Length: 1\r\n\r\nx',
        POST + b'Content-Length: 1\r\n\r\nx',
    ),
    'rule_26_upgrade_that_connection_does_not_name': Sent(GET + b'Upgrade: websocket\r\n' + CLOSE, GET + END),
    'rule_26_upgrade_in_1_0': Sent(
        b'GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
        b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    ),
    'rule_27_a_known_expectation': Sent(
        POST + b'Expect: 100-CONTINUE\r\nContent-Length: 1\r\n' + CLOSE + b'x',
        POST + b'Expect: 100-CONTINUE\r\nContent-Length: 1\r\n\r\nx',
    ),
    'rule_27_an_expectation_in_1_0': Sent(
        b'POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx',
        b'POST / HTTP/1.0\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx',
    ),
    'rule_28_one_less': Sent(OPTIONS + b'Max-Forwards: 7\r\n' + CLOSE, OPTIONS + b'Max-Forwards: 6\r\n\r\n'),
    'rule_28_of_options_alone': Sent(GET + b'Max-Forwards: 7\r\n' + CLOSE, GET + b'Max-Forwards: 7\r\n\r\n'),
    'rule_29_via_as_it_came': Sent(GET + b'Via: 1.1 here\r\n' + CLOSE, GET + b'Via: 1.1 here\r\n\r\n'),
    'rule_29_via_where_it_is_wished': Sent(
        GET + b'Via: 1.1 other\r\n' + CLOSE, GET + b'Via: 1.1 other\r\nvia: 1.1 here\r\n\r\n', 'via'
    ),
    'rule_30_untouched_where_nothing_is_said': Sent(
        GET + b'X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n' + CLOSE,
        GET + b'X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n',
    ),
    'rule_30_added_behind': Sent(
        GET + b'X-Forwarded-For: 1.2.3.4\r\n' + CLOSE,
        GET + b'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n', 'forwarded',
    ),
    'rule_30_instead_unless_trusted': Sent(
        GET + b'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n' + CLOSE,
        GET + b'x-forwarded-proto: http\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n', 'untrusted',
    ),
    'rule_31_not_forwarded': Sent(GET + b'X_Forwarded_For: 1\r\nX-Y: 2\r\n' + CLOSE, GET + b'X-Y: 2\r\n\r\n'),
    'rule_31_forwarded_where_it_is_wished': Sent(GET + b'X_Y: 1\r\nX.Z: 2\r\n' + CLOSE, GET + b'X_Y: 1\r\nX.Z: 2\r\n\r\n', 'preserve'),
    'rule_31_others_not_forwarded_where_it_is_wished': Sent(GET + b'X_Y: 1\r\nX.Z: 2\r\nX-Y: 3\r\n' + CLOSE, GET + b'X-Y: 3\r\n\r\n', 'delete'),
    'rule_32_a_field_of_ours_where_it_is_set': Sent(
        GET + b'X-Unique-ID: theirs\r\n' + CLOSE, GET + b'x-unique-id: ours\r\n\r\n', 'unique'
    ),
    'rule_37_no_date_is_added': Sent(GET + CLOSE, GET + END),
}  # fmt: skip
