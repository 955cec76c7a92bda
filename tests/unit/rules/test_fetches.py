"""What HAProxy's answers to a request do not show: responses, figures, facts, captures, variables, phases."""

from __future__ import annotations

import pytest

from dataplane.rules.acls import parse_condition
from dataplane.rules.closures import compiled, compiled_expression
from dataplane.rules.expressions import names_in, parse_expression
from dataplane.rules.fetches import CRITERIA, FETCHES
from dataplane.rules.model import Named
from dataplane.rules.phases import AVAILABLE, Phase, Use
from dataplane.rules.problems import Rejected
from dataplane.rules.samples import Binary, IPv4, IPv6, Method, Sample, type_of
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction, transaction

REQUEST = b'GET /a?x=1 HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n\r\n'
RESPONSE = (
    b'HTTP/1.1 503 no\r\nSet-Cookie: s=1; Path=/\r\nSet-Cookie: t="a;b"; HttpOnly\r\nVary: a, b\r\nVia: x,y\r\n'
    b'Content-Length: 12\r\n\r\nbody'
)


def value(text: str, view: Transaction | None = None, phase: Phase = Phase.LOG) -> Sample | None:
    scope = Scope(phase, env={'HOME': '/root'})
    expression, end = parse_expression([text], 0, scope)
    assert end == 1
    return compiled_expression(expression)(view or transaction(REQUEST, RESPONSE))


@pytest.mark.parametrize(
    'text, expected',
    [
        ('res.hdr(vary)', b'b'), ('res.hdr(vary,1)', b'a'), ('shdr(vary)', b'b'), ('res.fhdr(vary)', b'a, b'), ('shdr_cnt(via)', 2),
        ('res.hdr_val(content-length)', 12), ('res.cook(s)', b'1'), ('scook(t)', b'"a;b"'), ('res.cook_cnt', 2), ('scook_val(s)', 1),
        ('res.cook_names', b's,t'), ('res.hdr_names(:)', b'set-cookie:set-cookie:vary:via:content-length'), ('res.ver', b'1.1'),
        ('res.body', b'body'), ('res.body_len', 4), ('status,add(1)', 504), ('set-cookie(s)', b'1'), ('resp_ver', b'1.1'),
    ],
)  # fmt: skip
def test_responses(text: str, expected: Sample) -> None:
    assert value(text, phase=Phase.RESPONSE) == expected


@pytest.mark.parametrize(
    'text, expected',
    [
        ('src', IPv4(0x0A010203)), ('src_port', 4_321), ('dst', IPv4(0xC0A80001)), ('dst_port', 80), ('status', 503),
        ('capture.req.hdr(0)', b'kept'), ('capture.req.hdr(1)', None), ('capture.res.ver', b'HTTP/1.1'), ('capture.req.uri', b'/a?x=1'),
        ('capture.req.method', b'GET'), ('fe_name', b'f'), ('be_name', b'b'), ('be_id', 3), ('hostname', b'host'), ('date', 1_700_000_002),
        ('date(-2)', 1_700_000_000), ('date(1,ms)', 1_700_000_002_001), ('date(0,us)', 1_700_000_002_000_007), ('date_us', 7),
        ('rand', 0x01234567), ('rand(256)', 1), ('nbsrv(b)', 2), ('nbsrv', 1), ('srv_conn(b/s)', 9), ('srv_is_up(b/s)', True),
        ('srv_is_up(s)', None), ('env(HOME)', b'/root'), ('env(NONE)', None), ('var(txn.v)', 5), ('var(req.none)', None),
        ('var(req.none,d)', b'd'), ('ssl_fc', False), ('ssl_fc_sni', None), ('unique-id', b'u-1'), ('http_first_req', True),
        ('request_date', 1_700_000_001), ('accept_date(ms)', 1_700_000_000_123), ('so_id', 1), ('stopping', False), ('wait_end', True),
        ('uuid', b'01234567-0123-4567-8123-456701234567'), ('uuid(7)', b'018bcfe5-6fd0-7567-8123-456701234567'), ('pid', 4_711),
        ('res.ver', None), ('meth(FOO)', Method(b'FOO')), ('bin(00ff)', Binary(b'\0\xff')), ('ipv6(::1)', IPv6(1)), ('nbproc', 1),
        ('str(a),nbsrv', None), ('str(b),nbsrv', 2), ('str(b/s),srv_is_up', True), ('quic_enabled', False), ('txn.status', 503),
    ],
)  # fmt: skip
def test_values(text: str, expected: Sample | None) -> None:
    view = transaction(REQUEST, RESPONSE)
    view.captures['req', 0] = b'kept'
    view.variables['txn', 'v'] = 5
    view.figures = {('nbsrv', 'b', ''): 2, ('nbsrv', '', ''): 1, ('srv_conn', 'b', 's'): 9, ('srv_is_up', 'b', 's'): 1}
    found = value(text, view, Phase.RESPONSE if text == 'res.ver' else Phase.LOG)
    if text == 'res.ver':
        assert found == b'1.1'
        return
    assert found == expected
    assert type(found) is type(expected)


def test_sources_are_blocks_behind_hashes() -> None:
    view = transaction(REQUEST)
    found = value('base32+src', view, Phase.REQUEST)
    assert isinstance(found, Binary)
    assert found[4:] == bytes((10, 1, 2, 3))
    view.src = None
    assert value('url32+src', view, Phase.REQUEST) is None
    assert value('src_port', view, Phase.REQUEST) is None


def test_before_a_request_nothing_is_found() -> None:
    view = transaction()
    for text in ('path', 'url', 'query', 'base', 'method', 'req.ver', 'cook(a)', 'hdr(host)', 'url_param(x)'):
        assert value(text, view, Phase.REQUEST) is None, text
    assert value('req.proto_http', view) is False
    assert value('req.len', view, Phase.REQUEST) == 0


def test_every_fetch_yields_the_type_it_promises() -> None:
    """Of those that need no argument, and yield anything here at all."""
    for name, spec in FETCHES.items():
        if spec.arguments and not all(kind.endswith('?') for kind in spec.arguments.split(',')):
            continue
        phases = [phase for phase in Phase if phase in AVAILABLE[spec.use]]
        found = value(f'{name}(t)' if spec.arguments == 'table?' else name, phase=phases[0])
        if found is not None and spec.gives.value not in ('any', 'address'):
            assert type_of(found) is spec.gives, name


@pytest.mark.parametrize(
    'text, phase, use',
    [
        ('path', Phase.CONNECTION, Use.REQUEST), ('path', Phase.RESPONSE, Use.REQUEST), ('res.hdr(x)', Phase.REQUEST, Use.RESPONSE),
        ('be_name', Phase.REQUEST, Use.BACKEND), ('srv_name', Phase.BACKEND_REQUEST, Use.SERVER), ('method', Phase.SESSION, Use.REQUEST_KEPT),
        ('req.body', Phase.LOG, Use.REQUEST_BODY), ('status', Phase.SERVER, Use.RESPONSE_KEPT), ('src', Phase.CHECK, Use.CLIENT),
    ],
)  # fmt: skip
def test_what_is_not_there_yet_or_any_more_is_refused_by_name(text: str, phase: Phase, use: Use) -> None:
    name = text.partition('(')[0]
    with pytest.raises(Rejected) as found:
        value(text, phase=phase)
    expected = f"fetch method '{name}' extracts information from '{use.value}', none of which is available here"
    assert str(found.value) == expected


def test_what_needs_a_place_is_available_somewhere() -> None:
    assert all(AVAILABLE[use] for use in Use)
    assert {spec.use for spec in FETCHES.values()} <= set(AVAILABLE)


def test_criteria_are_fetches_with_a_way_to_compare() -> None:
    assert all(base in FETCHES for base, _ in CRITERIA.values())
    assert not set(CRITERIA) & set(FETCHES)


def test_names_to_look_for_are_told() -> None:
    expression, _ = parse_expression(['nbsrv(b),add(1)'], 0, Scope())
    assert names_in(expression) == [Named('backend', 'b')]
    expression, _ = parse_expression(['srv_conn(b/s)'], 0, Scope())
    assert names_in(expression) == [Named('server', 'b/s')]


def test_converters_may_be_words_of_their_own() -> None:
    expression, end = parse_expression(['x', 'str(aB)', 'lower', 'length,add(1)', 'if', 'TRUE'], 1, Scope())
    assert end == 4
    assert compiled_expression(expression)(transaction()) == 3
    with pytest.raises(Rejected, match="missing comma after fetch keyword 'str'"):
        parse_expression(['str(a)b'], 0, Scope())
    with pytest.raises(Rejected, match="missing comma after converter 'lower'"):
        parse_expression(['str(a),lower)'], 0, Scope())
    with pytest.raises(Rejected, match="unknown fetch method 'pth'; did you mean 'path' maybe"):
        parse_expression(['pth'], 0, Scope())


@pytest.mark.parametrize(
    'text, expected',
    [
        ('fc_pp_authority', b'host'), ('fc_pp_unique_id', None), ('fc_pp_tlv(0xEA)', b'one'), ('fc_pp_tlv(234)', b'one'),
        ('fc_pp_tlv(AUTHORITY)', b'host'), ('fc_pp_tlv(7)', b''), ('fc_pp_tlv(NETNS)', None), ('fc_rcvd_proxy', True),
    ],
)  # fmt: skip
def test_what_a_proxy_header_says(text: str, expected: Sample | None) -> None:
    view = transaction(REQUEST)
    view.facts['fc_pp_tlvs'] = Binary(b'\x07\0\0\xea\0\x03one\x02\0\x04host\xea\0\x03two')
    view.facts['fc_rcvd_proxy'] = True
    assert value(text, view, Phase.REQUEST) == expected


def test_all_that_a_header_says_under_one_number_may_match() -> None:
    view = transaction(REQUEST)
    view.facts['fc_pp_tlvs'] = Binary(b'\xea\0\x03one\xea\0\x03two')
    for word, holds in (('one', True), ('two', True), ('three', False)):
        condition = parse_condition(['if', '{', 'fc_pp_tlv(0xEA)', word, '}'], {}, Scope())
        assert compiled(condition)(view) is holds


@pytest.mark.parametrize('kind', ['256', '0x100', 'NONE', '-1', ''])
def test_what_is_no_kind_of_a_headers_parts(kind: str) -> None:
    with pytest.raises(Rejected, match='expects a number from 0 to 255'):
        value(f'fc_pp_tlv({kind})', transaction(REQUEST))
