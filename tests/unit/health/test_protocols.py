"""What answers of other protocols mean; beside HAProxy it is tests/integration/test_protocol_checks_oracle.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.checks import Connect, Probe, ProbeKind, Reply, Send, Step, Understand
from dataplane.health.protocols import Heard, understood
from dataplane.health.result import Outcome, Result, Status
from dataplane.health.run import HEAR, Dial, Run, Say
from tests.unit.health.words import ldap, mysql, spop, wording

HELLO: dict[str, bytes | int | None] = {'version': b'2.0', 'max-frame-size': 16_380, 'capabilities': b''}
WHOLE = {
    Reply.SMTP_CODE: b'220 here\r\n',
    Reply.SMTP_WELCOME: b'220 here\r\n',
    Reply.SMTP_HELLO: b'250-a\r\n250 b\r\n',
    Reply.SMTP_GOODBYE: b'221 bye\r\n',
    Reply.MYSQL_GREETING: mysql(0, b'\x0a8.0\0'),
    Reply.MYSQL_ACCEPTED: mysql(0, b'\x0a8.0\0') + mysql(2, b'\0\0'),
    Reply.PGSQL: b'R\0\0\0\x08\0\0\0\x05',
    Reply.REDIS: b'+PONG\r\n',
    Reply.LDAP: ldap(0),
    Reply.SPOP: spop(101, HELLO),
    Reply.TLS: b'\x15\x03\0\0\x02',
}


def test_every_answer_is_known() -> None:
    assert set(WHOLE) == set(Reply)


@pytest.mark.parametrize('reply', Reply)
def test_an_answer_is_waited_for_to_its_end(reply: Reply) -> None:
    whole = WHOLE[reply]
    found = understood(reply, whole, ended=False)
    assert found is not None
    assert found.status.outcome is Outcome.PASSED
    for part in (whole[:end] for end in range(1, len(whole))):
        early = understood(reply, part, ended=False)
        assert early is None or early.status.outcome is Outcome.PASSED or reply is Reply.SMTP_WELCOME


@given(reply=st.sampled_from(Reply), data=st.binary(min_size=1, max_size=80))
def test_whatever_a_server_says_is_decided_when_it_ends(reply: Reply, data: bytes) -> None:
    assert understood(reply, data, ended=True) is not None
    understood(reply, data, ended=False)


@given(reply=st.sampled_from(Reply), data=st.data())
def test_so_is_what_is_almost_an_answer(reply: Reply, data: st.DataObject) -> None:
    whole = bytearray(WHOLE[reply])
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(1, len(whole)))
    assert understood(reply, bytes(whole[:end]), ended=True) is not None


@pytest.mark.parametrize(
    'frame, reason',
    [
        (spop(102, {'status-code': 8, 'message': b'no'}), 'unsupported version'),
        (spop(102, {'status-code': 77}), 'an unknown error occurred'),
        (spop(102, {}), 'normal'),
        (spop(101, {**HELLO, 'version': 2}), 'invalid frame received'),
        (spop(101, {**HELLO, 'max-frame-size': b'1000'}), 'invalid frame received'),
        (spop(101, {**HELLO, '': 1}), 'invalid frame received'),
        (spop(101, {'max-frame-size': 255}), 'max-frame-size too big or too small'),
        (spop(101, HELLO)[:20], 'invalid frame received'),
    ],
)
def test_what_is_wrong_with_an_agent(frame: bytes, reason: str) -> None:
    assert understood(Reply.SPOP, frame, ended=True) == Heard(Status.L7RSP, reason)


def run(*replies: Reply) -> Run:
    steps: list[Step] = [Connect(linger=True), Send(data=b'x'), *(Understand(reply=reply) for reply in replies)]
    return Run(Probe(kind=ProbeKind.PROTOCOL, steps=tuple(steps)), wording(), state='', running=True, bufsize=1024)


def test_answers_are_understood_one_after_the_other() -> None:
    conversation = run(Reply.MYSQL_GREETING, Reply.MYSQL_ACCEPTED)
    assert conversation.begin() == Dial('', 0, linger=True)
    assert conversation.connected() == Say(b'x')
    assert conversation.said() is HEAR
    assert conversation.heard(mysql(0, b'\x0a8.0\0')) is HEAR
    assert conversation.heard(mysql(2, b'\0\0')) == Result(Status.L7OK, info='8.0')


@pytest.mark.parametrize(
    'reply, late, empty',
    [
        (Reply.TLS, Status.L6TOUT, Status.L6RSP),
        (Reply.REDIS, Status.L7TOUT, Status.L7STS),
        (Reply.LDAP, Status.L7TOUT, Status.L7RSP),
    ],
)
def test_no_answer_at_all(reply: Reply, late: Status, empty: Status) -> None:
    conversation = run(reply)
    conversation.begin()
    conversation.connected()
    conversation.said()
    assert conversation.timed_out() == Result(late)
    assert conversation.ended() == Result(empty, info='TCPCHK got an empty response at step 3')
