"""Conversations without a socket: steps, expectations, and the words HAProxy 2.6 has for what went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.checks import Comment, Connect, Expect, Match, Probe, ProbeKind, Request, Send, Step, Text
from dataplane.health.result import Result, Status
from dataplane.health.run import HEAR, Action, Dial, Run, Say
from tests.unit.health.words import wording

DIAL = Connect(implicit=True)
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: one, two\r\n\r\nhello'


def tcp(*steps: Step) -> Probe:
    return Probe(kind=ProbeKind.TCP, steps=steps)


def http(expect: Expect, *, on_404: bool = False) -> Probe:
    return Probe(kind=ProbeKind.HTTP, steps=(DIAL, Request(), expect), disable_on_404=on_404)


def run(probe: Probe, *, running: bool = True, bufsize: int = 1024) -> Run:
    return Run(probe, wording(), state='UP', running=running, bufsize=bufsize)


def talk(conversation: Run, *parts: bytes, end: bool = True) -> Action:
    """Go through it: everything connects and is sent, the server says `parts` and then, with `end`, closes."""
    action: Action = conversation.begin()
    left = list(parts)
    while not isinstance(action, Result):
        if isinstance(action, Dial):
            action = conversation.connected()
        elif isinstance(action, Say):
            action = conversation.said()
        elif left:
            action = conversation.heard(left.pop(0))
        elif end:
            action = conversation.ended()
        else:
            return action
    return action


def test_a_connection_is_all_that_is_asked_for() -> None:
    conversation = run(Probe())
    assert conversation.begin() == Dial('', 0)
    assert conversation.connected() == Result(Status.L4OK)
    assert run(Probe()).begin() == Dial('', 0)
    lost = run(Probe())
    lost.begin()
    assert lost.unreachable('Connection refused') == Result(Status.L4CON, info='Connection refused')
    assert lost.timed_out() == Result(Status.L4TOUT)


def string(text: bytes, *, negated: bool = False, min_recv: int = -1, comment: str = '') -> Expect:
    return Expect(match=Match.STRING, pattern=text, negated=negated, min_recv=min_recv, comment=comment)


@pytest.mark.parametrize(
    'expect, said, result',
    [
        (string(b'PONG'), b'+PONG\r\n', Result(Status.L7OK, info='(tcp-check)')),
        (string(b'foo'), b'bar', Result(Status.L7RSP, info="TCPCHK did not match content 'foo' at step 2")),
        (string(b'200', negated=True), b'a 200', Result(Status.L7RSP, info="TCPCHK matched unwanted content '200' at step 2")),
        (string(b'200', negated=True), b'a 300', Result(Status.L7OK, info='(tcp-check)')),
        (string(b'foo'), b'', Result(Status.L7RSP, info='TCPCHK got an empty response at step 2')),
        (Expect(match=Match.RSTRING, pattern=b'foo.*bar'), b'xx', Result(Status.L7RSP, info='TCPCHK did not match content (regex) at step 2')),
        (Expect(match=Match.RSTRING, pattern=b'2..', negated=True), b'299', Result(Status.L7RSP, info='TCPCHK matched unwanted content (regex) at step 2')),
        (Expect(match=Match.BINARY, pattern=b'200', negated=True), b'200', Result(Status.L7RSP, info='TCPCHK matched unwanted content (binary) at step 2')),
        (Expect(match=Match.RBINARY, pattern=b'99'), b'x', Result(Status.L7RSP, info='TCPCHK did not match content (binary regex) at step 2')),
        (Expect(match=Match.RBINARY, pattern=b'^2B50'), b'+P', Result(Status.L7OK, info='(tcp-check)')),
        (Expect(match=Match.STRING, pattern=b'a', ok_status='L4OK'), b'a', Result(Status.L4OK, info='(tcp-check)')),
        (Expect(match=Match.STRING, pattern=b'a', error_status='L7STS'), b'b', Result(Status.L7STS, info="TCPCHK did not match content 'a' at step 2")),
    ],
)  # fmt: skip
def test_what_a_script_expects(expect: Expect, said: bytes, result: Result) -> None:
    assert talk(run(tcp(DIAL, Send(data=b'x'), expect)), *([said] if said else [])) == result


@pytest.mark.parametrize(
    'expect',
    [
        Expect(
            match=Match.RSTRING, pattern=b'HTTP/1.1 ([45]..) (.*)(x)?', negated=True, comment=r'code=\1 reason=\2\3\9.'
        ),
        Expect(match=Match.RBINARY, pattern=b'(34[0-9]{4})20(.*)', negated=True, comment=r'code=\1 reason=\2.'),
    ],
)
def test_a_comment_may_say_what_groups_have_found(expect: Expect) -> None:
    found = talk(run(tcp(DIAL, Send(data=b'x'), expect)), b'HTTP/1.1 400 Bad')
    assert isinstance(found, Result)
    assert found.info.endswith('at step 2 comment: code=400 reason=Bad.')
    other = talk(run(tcp(DIAL, Send(data=b'x'), string(b'a', comment=r'\1'))), b'b')
    assert isinstance(other, Result)
    assert other.info.endswith(r'comment: \1')


def test_steps_are_counted_as_lines_and_comments_are_lines() -> None:
    script = tcp(DIAL, Comment(comment='first'), Send(data=b'x'), Comment(comment='second'), string(b'foo'))
    found = talk(run(script), b'bar')
    assert found == Result(Status.L7RSP, info="TCPCHK did not match content 'foo' at step 4 comment: second")
    empty = talk(run(tcp(Connect(), Send(data=b'x'), string(b'foo', comment='own'))))
    assert empty == Result(Status.L7RSP, info="TCPCHK got an empty response at step 3 comment: 'own'")


@pytest.mark.parametrize(
    'steps, parts, where',
    [
        ((DIAL, Send(data=b'x')), 0, ' at initial connection step of tcp-check'),
        ((Connect(comment='cc'), Send(data=b'x')), 0, " at step 1 of tcp-check (connect) comment: 'cc'"),
        ((Connect(), Connect(port=99)), 1, ' at step 2 of tcp-check (connect port 99)'),
        ((Connect(), Send(data=b'x')), 1, ' at step 2 of tcp-check (send)'),
        ((Connect(), string(b'+P')), 1, " at step 2 of tcp-check (expect string '+P')"),
        ((DIAL, Expect(match=Match.BINARY, pattern=b'+\0')), 1, " at step 1 of tcp-check (expect binary '+.')"),
        ((DIAL, Expect(match=Match.RSTRING, pattern=b'x')), 1, ' at step 1 of tcp-check (expect regex)'),
    ],
)
def test_where_it_went_wrong(steps: tuple[Step, ...], parts: int, where: str) -> None:
    conversation = run(tcp(*steps))
    conversation.begin()
    for _ in range(parts):
        conversation.connected()
    assert conversation.unreachable('E').info == f'E{where}'
    assert conversation.broken('E') == Result(Status.SOCKERR, info=f'E{where}')
    assert conversation.timed_out().info == where


def test_a_mismatch_waits_for_more_unless_a_minimum_is_there() -> None:
    waiting = run(tcp(DIAL, string(b'foo')))
    assert talk(waiting, b'ba', b'r', end=False) is HEAR
    assert waiting.heard(b'foo').status is Status.L7OK  # type: ignore[union-attr]
    short = run(tcp(DIAL, string(b'zz', min_recv=4)))
    assert talk(short, b'abc', end=False) is HEAR
    assert short.heard(b'd').status is Status.L7RSP  # type: ignore[union-attr]


def test_expectations_in_a_row_look_at_the_same_answer_and_a_send_begins_anew() -> None:
    script = tcp(DIAL, Send(data=b'1'), string(b'a'), string(b'b'), Send(data=b'2'), string(b'c'))
    assert talk(run(script), b'ab', b'c').status is Status.L7OK  # type: ignore[union-attr]
    assert talk(run(script), b'abc', end=False) is HEAR


def test_a_script_may_dial_several_times() -> None:
    conversation = run(tcp(Connect(), Connect(addr='127.0.0.9', port=81), Send(data=b'x')))
    assert conversation.begin() == Dial('', 0)
    assert conversation.connected() == Dial('127.0.0.9', 81)
    assert conversation.connected() == Say(b'x')
    assert conversation.said().status is Status.L7OK  # type: ignore[union-attr]
    assert talk(run(tcp(DIAL))).status is Status.L4OK  # type: ignore[union-attr]


USUAL = Expect(match=Match.STATUS, codes=((200, 399),))


@pytest.mark.parametrize(
    'expect, said, status, code, info',
    [
        (USUAL, OK, Status.L7OK, 200, ''),
        (USUAL, b'HTTP/1.0 302 Found\r\n\r\n', Status.L7OK, 302, ''),
        (USUAL, b'HTTP/1.1 404 Not Found\r\n\r\n', Status.L7STS, 404, 'Not Found'),
        (USUAL, b'HTTP/1.1 500 Oops\n\n', Status.L7STS, 500, 'Oops'),
        (USUAL, b'HTTP/1.1 100 Continue\r\n\r\n' + OK, Status.L7OK, 200, ''),
        (USUAL, b'HTTP/1.1 2', Status.L7RSP, 0, ''),
        (USUAL, b'garbage\r\n', Status.L7RSP, 0, ''),
        (USUAL, b'', Status.L7RSP, 0, ''),
        (Expect(match=Match.STATUS, codes=((200, 200),), negated=True), OK, Status.L7STS, 200, 'OK'),
        (Expect(match=Match.RSTATUS, pattern=b'^4'), OK, Status.L7STS, 200, 'OK'),
        (Expect(match=Match.RSTATUS, pattern=b'^[23]'), OK, Status.L7OK, 200, ''),
        (Expect(match=Match.STATUS, codes=((201, 201),), comment='my'), OK, Status.L7STS, 200, 'OK comment: my'),
        (string(b'hell'), OK, Status.L7OK, 200, ''),
        (string(b'zz'), OK, Status.L7RSP, 200, 'HTTP content check did not match'),
        (string(b'hell', negated=True), OK, Status.L7RSP, 200, 'HTTP check matched unwanted content'),
        (string(b'OK'), OK, Status.L7RSP, 200, 'HTTP content check did not match'),
        (string(b'x'), b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', Status.L7RSP, 200,
         'HTTP content check could not find a response body'),
        (Expect(match=Match.RSTRING, pattern=b'^h.l+o$'), OK, Status.L7OK, 200, ''),
        (Expect(match=Match.HDR, name=Text(text='X-A'), value=Text(text='two')), OK, Status.L7OK, 200, ''),
        (Expect(match=Match.FHDR, name=Text(text='X-A'), value=Text(text='two')), OK, Status.L7STS, 200, 'OK'),
        (Expect(match=Match.FHDR, name=Text(text='x-', method='beg'), value=Text(text='wo', method='end')), OK,
         Status.L7OK, 200, ''),
        (Expect(match=Match.HDR, name=Text(text='X-B')), OK, Status.L7STS, 200, 'OK'),
        (Expect(match=Match.HDR, name=Text(text='a$', method='reg'), value=Text(text='n', method='sub')), OK, Status.L7OK, 200, ''),
        (Expect(match=Match.HDR, name=Text(text='X-A'), negated=True), OK, Status.L7STS, 200, 'OK'),
    ],
)  # fmt: skip
def test_what_an_http_check_expects(expect: Expect, said: bytes, status: Status, code: int, info: str) -> None:
    whole = talk(run(http(expect)), *([said] if said else []))
    assert whole == Result(status, code, info)
    drop_by_drop = talk(run(http(expect)), *(bytes((byte,)) for byte in said))
    assert drop_by_drop == whole


def test_a_chunked_body_is_looked_at_without_its_framing() -> None:
    said = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n'
    assert talk(run(http(string(b'hello'))), said, end=False).status is Status.L7OK  # type: ignore[union-attr]
    assert talk(run(http(string(b'3'))), said, end=False).status is Status.L7RSP  # type: ignore[union-attr]


def test_404_is_a_soft_stop_of_a_server_that_runs() -> None:
    said = b'HTTP/1.1 404 Not Found\r\n\r\n'
    assert talk(run(http(USUAL, on_404=True)), said) == Result(Status.L7OKC, 404)
    stopped = talk(run(http(USUAL, on_404=True), running=False), said)
    assert stopped == Result(Status.L7STS, 404, 'Not Found')


def test_only_what_fits_the_buffer_is_looked_at() -> None:
    conversation = run(http(string(b'needle')), bufsize=200)
    found = talk(conversation, b'HTTP/1.1 200 OK\r\n\r\n' + b'x' * 150, b'y' * 100_000, b'needle', end=False)
    assert found == Result(Status.L7RSP, 200, 'HTTP content check did not match')
    assert len(conversation._buffer) == 200
    endless = talk(run(http(USUAL), bufsize=200), b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 500, end=False)
    assert endless == Result(Status.L7RSP)


def test_the_result_of_a_timeout_may_be_named() -> None:
    conversation = run(tcp(DIAL, Expect(match=Match.STRING, pattern=b'x', tout_status='L6TOUT')))
    assert talk(conversation, end=False) is HEAR
    assert conversation.timed_out().status is Status.L6TOUT


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([USUAL, string(b'x'), string(b'x', negated=True)]))
def test_whatever_a_server_says_there_is_a_result(parts: list[bytes], expect: Expect) -> None:
    for probe in (http(expect), tcp(DIAL, expect) if expect.match is Match.STRING else http(expect)):
        assert isinstance(talk(run(probe), *filter(None, parts)), Result)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_how_the_bytes_are_cut_makes_no_difference(tail: bytes, cut: int) -> None:
    said = OK[:-5] + tail
    for expect in (USUAL, string(b'he')):
        whole = talk(run(http(expect)), said)
        at = min(cut, len(said) - 1)
        assert talk(run(http(expect)), *filter(None, (said[:at], said[at:]))) == whole
