"""The rules for a safe HTTP proxy (docs/safe-http.md), each as raw bytes through a running data plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.safe_http.answering import BAD, CUT, PASSED, START, TWO
from tests.integration.safe_http.asking import CHUNKED, CLOSE, END, GET, HOST, LAST, OPTIONS, POST, REFUSED, SENT
from tests.integration.safe_http.plane import OK, Plane, heads, rest, running, until

SECTIONS = {
    'plain': """
        http-reuse always
        http-request deny if { path /denied }
        server s {server}
    """,
    'patient': """
        timeout http-request 300ms
        timeout client 300ms
        server s {server}
    """,
    'forwarded': """
        option forwardfor
        server s {server}
    """,
    'untrusted': """
        acl trusted src 10.0.0.0/8
        http-request del-header X-Forwarded-For unless trusted
        http-request del-header X-Real-IP unless trusted
        http-request set-header X-Forwarded-Proto http unless trusted
        option forwardfor
        server s {server}
    """,
    'via': """
        http-request deny if { req.hdr(via) -m sub here }
        http-request add-header Via "1.1 here"
        server s {server}
    """,
    'preserve': """
        option http-restrict-req-hdr-names preserve
        server s {server}
    """,
    'delete': """
        option http-restrict-req-hdr-names delete
        server s {server}
    """,
    'reject': """
        option http-restrict-req-hdr-names reject
        server s {server}
    """,
    'unique': """
        http-request set-header X-Unique-ID ours
        server s {server}
    """,
    'twins': """
        balance roundrobin
        http-reuse always
        server one {server}
        server two {server}
    """,
    'retries': """
        retries 3
        option redispatch
        server s {server}
    """,
    'status': """
        http-response set-status 299
        server s {server}
    """,
    'cased': """
        option h1-case-adjust-bogus-client
        option h1-case-adjust-bogus-server
        option forwardfor
        http-request return status 200 content-type text/plain string x if { path /own }
        server s {server}
    """,
}
CASES = """h1-case-adjust x-foo X-FoO
    h1-case-adjust host HOST
    h1-case-adjust x-forwarded-for X-Forwarded-FOR
    h1-case-adjust content-length CONTENT-LENGTH
    h1-case-adjust connection CONNECTION
    h1-case-adjust content-type Content-TYPE"""
WEBSOCKET = GET + b'Upgrade: websocket\r\nConnection: Upgrade\r\n'
SWITCHED = b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'


@pytest.fixture(scope='module')
def running_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with running(tmp_path_factory.mktemp('safe'), SECTIONS, CASES) as made:
        yield made


@pytest.fixture
def plane(running_plane: Plane) -> Plane:
    running_plane.begin()
    return running_plane


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('rule', REFUSED)
def test_request_refused(rule: str, plane: Plane) -> None:
    case = REFUSED[rule]
    # what follows must not be taken for a request either
    answer = plane.tell(case.raw + GET + CLOSE, case.section)
    assert answer.startswith(b'HTTP/1.1 %d ' % case.status), answer[:200]
    assert answer.count(b'HTTP/1.1 ') == 1 or case.status == 403
    assert b'onnection: close\r\n' in answer
    line = plane.log()
    assert f' {case.status} ' in line
    assert f' {case.flags} ' in line
    assert b''.join(plane.server.seen).count(b'HTTP/1.') <= (case.status == 403)


@pytest.mark.parametrize('rule', SENT)
def test_request_sent(rule: str, plane: Plane) -> None:
    case = SENT[rule]
    answer = plane.tell(case.raw, case.section)
    assert plane.server.seen == [case.arrives]
    assert answer.startswith(b'HTTP/1.1 200 OK\r\n')
    assert ' 200 ' in plane.log()


# -- responses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('rule', BAD)
def test_response_bad(rule: str, plane: Plane) -> None:
    case = BAD[rule]
    plane.server.script(case.answer, 'hold')
    answer = plane.tell(case.request)
    assert answer.startswith(b'HTTP/1.1 502 Bad Gateway\r\n'), answer[:200]
    assert answer.count(b'HTTP/1.1 ') == 1
    assert answer.endswith(b'</html>\n')
    line = plane.log()
    assert ' 502 ' in line
    assert f' {case.flags} ' in line
    until(lambda: not plane.server.open, 'its connection is closed')


@pytest.mark.parametrize('rule', CUT)
def test_response_cut(rule: str, plane: Plane) -> None:
    case = CUT[rule]
    plane.server.script(case.answer, 'close')
    answer = plane.tell(GET + CLOSE)
    assert answer == case.arrives
    line = plane.log()
    assert ' 200 ' in line
    assert f' {case.flags} ' in line
    until(lambda: not plane.server.open, 'its connection is closed')


@pytest.mark.parametrize('rule', PASSED)
def test_response_passed(rule: str, plane: Plane) -> None:
    case = PASSED[rule]
    plane.server.script(case.answer, 'keep' if case.again or rule.startswith('rule_12') else 'close')
    assert plane.tell(case.request) == case.arrives
    plane.server.answer = OK
    assert plane.tell(GET + CLOSE).endswith(b'\r\n\r\nok')
    assert plane.server.connections == (1 if case.again else 2)


# -- what takes more than one message --------------------------------------------------------------------------------


def test_rule_06_a_malformed_chunk_later_on_cuts_the_upload(plane: Plane) -> None:
    with plane.connect() as sock:
        sock.sendall(POST + CHUNKED + END + b'3\r\nabc\r\n')
        until(lambda: plane.server.open, 'the server is asked')
        sock.sendall(b'0x3\r\nabc\r\n' + LAST + GET + CLOSE)
        answer = rest(sock)
    assert answer.startswith(b'HTTP/1.1 400 ')
    assert answer.count(b'HTTP/1.1 ') == 1
    assert ' PR-- ' in plane.log()
    until(lambda: not plane.server.open, 'the server is told')
    assert plane.server.seen == []


def test_rule_09_a_body_nobody_read_is_not_a_request(plane: Plane) -> None:
    inside = b'GET /smuggled HTTP/1.1\r\n' + HOST + END
    raw = b'POST /denied HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n' % len(inside)
    with plane.connect() as sock:
        sock.sendall(raw)
        answer = heads(b'', 1, sock)
        assert b'connection: close\r\n' in answer
        sock.sendall(inside + GET + CLOSE)
        answer += rest(sock)
    assert answer.startswith(b'HTTP/1.1 403 ')
    assert answer.count(b'HTTP/1.1 ') == 1
    assert plane.server.seen == []


def test_rule_09_a_body_that_is_there_is_read(plane: Plane) -> None:
    raw = b'POST /denied HTTP/1.1\r\n' + HOST + b'Content-Length: 3\r\n\r\nabc'
    answer = plane.tell(raw + GET + CLOSE)
    assert [part[:3] for part in answer.split(b'HTTP/1.1 ')[1:]] == [b'403', b'200']
    assert plane.server.seen == [GET + END]


def test_rule_09_a_server_that_answers_early_is_not_asked_again(plane: Plane) -> None:
    plane.server.script(early=True)
    with plane.connect() as sock:
        sock.sendall(POST + b'Content-Length: 100\r\n\r\n')
        answer = heads(b'', 1, sock)
        assert b'Connection: close\r\n' in answer
        sock.sendall(b'x' * 100)
        rest(sock)
    until(lambda: not plane.server.open, 'its connection is closed')
    plane.server.early = False
    assert plane.tell(GET + CLOSE).endswith(b'ok')
    assert plane.server.connections == 2


def test_rule_12_bytes_on_an_idle_connection(plane: Plane) -> None:
    plane.server.script(more=START + b'Content-Length: 4\r\n\r\nevil')
    with plane.connect() as sock:
        sock.sendall(GET + END)
        assert heads(b'', 1, sock).endswith(b'ok')
        plane.server.gate.set()
        until(lambda: not plane.server.open, 'the connection is discarded')
        plane.server.more = b''
        sock.sendall(GET + CLOSE)
        assert rest(sock).endswith(b'\r\n\r\nok')
    assert plane.server.connections == 2


def test_rule_26_a_websocket_is_a_tunnel(plane: Plane) -> None:
    plane.server.script(SWITCHED + b'early', 'hold')
    with plane.connect() as sock:
        sock.sendall(WEBSOCKET + END)
        assert heads(b'', 1, sock).startswith(SWITCHED)
    assert plane.server.seen == [GET + b'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n']


def test_rule_26_no_rule_gives_a_switched_protocol_another_status(plane: Plane) -> None:
    plane.server.script(SWITCHED, 'hold')
    with plane.connect('status') as sock:
        sock.sendall(WEBSOCKET + END)
        assert heads(b'', 1, sock) == SWITCHED
    plane.server.script()
    assert plane.tell(GET + CLOSE, 'status').startswith(b'HTTP/1.1 299 ')


def test_rule_26_bytes_sent_early_wait_for_the_answer_and_are_no_request(plane: Plane) -> None:
    early = b'GET /smuggled HTTP/1.1\r\n' + HOST + END
    answer = plane.tell(WEBSOCKET + END + early)
    assert answer.startswith(START + TWO + b'Connection: close\r\n')
    assert answer.count(b'HTTP/1.1 ') == 1
    assert plane.server.seen == [GET + b'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n']


def test_rule_28_options_that_may_go_no_further(plane: Plane) -> None:
    answer = plane.tell(OPTIONS + b'Max-Forwards: 0\r\n' + CLOSE)
    assert answer == b'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
    assert plane.server.seen == []
    assert ' LR-- ' in plane.log()


@pytest.mark.parametrize('method, times', [(b'GET', 2), (b'PUT', 2), (b'POST', 1)])
def test_rule_34_only_what_may_be_repeated_is_asked_again(method: bytes, times: int, plane: Plane) -> None:
    with plane.connect('retries') as sock:
        sock.sendall(GET + END)
        assert heads(b'', 1, sock).endswith(b'ok')
        plane.server.answer, plane.server.then = b'', 'close'  # the connection dies when the next request is there
        sock.sendall(method + b' / HTTP/1.1\r\n' + HOST + CLOSE)
        answer = rest(sock)
    assert plane.server.seen == [GET + END] + [method + b' / HTTP/1.1\r\n' + HOST + END] * times
    assert answer.startswith(b'HTTP/1.1 502 ') if times > 1 else answer == b''


def test_rule_34_what_a_server_has_seen_is_not_asked_again(plane: Plane) -> None:
    plane.server.script(b'', 'close')
    assert plane.tell(GET + CLOSE, 'retries').startswith(b'HTTP/1.1 502 ')
    assert plane.server.seen == [GET + END]
    assert ' SH-- ' in plane.log()


def test_rule_34_a_body_is_not_sent_again(plane: Plane) -> None:
    plane.server.script(b'', 'close')
    raw = b'PUT / HTTP/1.1\r\n' + HOST + CHUNKED + CLOSE + b'3\r\nabc\r\n' + LAST
    assert plane.tell(raw, 'retries').startswith(b'HTTP/1.1 502 ')
    assert len(plane.server.seen) == 1


def test_rule_35_each_server_has_connections_of_its_own(plane: Plane) -> None:
    for _ in range(6):
        assert plane.tell(GET + CLOSE, 'twins').endswith(b'ok')
    assert plane.server.connections == 2  # the address of both is one


@pytest.mark.parametrize('raw', [b'GET / HTT', b'G', GET, GET + b'X: 1\r\n'])
def test_rule_36_a_head_that_does_not_come(raw: bytes, plane: Plane) -> None:
    answer = plane.tell(raw, 'patient')
    assert answer.startswith(b'HTTP/1.1 408 ')
    line = plane.log()
    assert ' 408 ' in line
    assert ' cR-- ' in line


def test_rule_36_a_body_that_does_not_come(plane: Plane) -> None:
    answer = plane.tell(POST + b'Content-Length: 9\r\n\r\nabc', 'patient')
    assert answer.startswith(b'HTTP/1.1 408 ')
    assert ' cD-- ' in plane.log()
    until(lambda: not plane.server.open, 'the server is told')


# -- names as others want them ---------------------------------------------------------------------------------------


def test_names_are_written_as_programs_want_them_that_are_not_right_about_it(plane: Plane) -> None:
    plane.server.script(START + b'x-foo: x-foo: 1\r\nContent-Length: 10\r\n\r\n\r\nx-foo: 1')
    answer = plane.tell(GET + b'x-fOO: 2\r\n' + CLOSE, 'cased')
    assert plane.server.seen == [b'GET / HTTP/1.1\r\nHOST: a\r\nX-FoO: 2\r\nX-Forwarded-FOR: 127.0.0.1\r\n\r\n']
    assert answer == START + b'X-FoO: x-foo: 1\r\nCONTENT-LENGTH: 10\r\nCONNECTION: close\r\n\r\n\r\nx-foo: 1'
    own = plane.tell(b'GET /own HTTP/1.1\r\n' + HOST + CLOSE, 'cased')
    assert own == START + b'CONTENT-LENGTH: 1\r\nContent-TYPE: text/plain\r\nCONNECTION: close\r\n\r\nx'
