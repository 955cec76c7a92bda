from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dataplane.cli.session import Complaint, Severity
from dataplane.cli.sessions import SessRequest, parse_sess, session_lines

SESSIONS: list[dict[str, object]] = [
    {'id': '0x1', 'src': '10.0.0.1:5', 'frontend': 'fe', 'backend': 'px', 'server': 's1', 'age_ms': 125_000},
    {
        'id': '0x2',
        'src': '10.0.0.2:6',
        'frontend': 'fe',
        'backend': 'px',
        'server': '',
        'age_ms': 900,
        'state': 'WAITING',
    },
    {'id': '0x3', 'src': '10.0.0.3:7', 'frontend': 'other', 'age_ms': 7_500_000},
    {'id': '0x4', 'frontend': 'other', 'age_ms': 183_600_000},
]


def show_sessions(rows: Sequence[Mapping[str, object]], request: SessRequest, missing: str = '') -> str:
    return '\n'.join(session_lines(rows, request, missing=missing))


def ids(text: str) -> list[str]:
    return [line.split(':')[0] for line in text.splitlines()]


def test_show_sess() -> None:
    lines = show_sessions(SESSIONS, SessRequest()).split('\n')
    assert lines[0].startswith('0x1: proto=tcpv4 src=10.0.0.1:5 fe=fe be=px srv=s1 ts=00 epoch=0 age=2m5s calls=0 ')
    assert lines[2].startswith('0x3: proto=tcpv4 src=10.0.0.3:7 fe=other be=<NONE> srv=<none> ts=00 epoch=0 age=2h5m ')
    assert 'age=2d3h' in lines[3]
    assert ids('\n'.join(lines)) == ['0x1', '0x2', '0x3', '0x4']


@pytest.mark.parametrize(
    'words,expected',
    [
        ((), ['0x1', '0x2', '0x3', '0x4']),
        (('backend', 'px'), ['0x1', '0x2']),
        (('frontend', 'other'), ['0x3', '0x4']),
        (('server', 'px/s1'), ['0x1']),
        (('older', '1m'), ['0x1', '0x3', '0x4']),
        (('older', '1m', 'frontend', 'fe'), ['0x1']),
        (('susp',), ['0x1', '0x2', '0x3', '0x4']),
    ],
)
def test_sessions_asked_for(words: tuple[str, ...], expected: list[str]) -> None:
    assert ids(show_sessions(SESSIONS, parse_sess(words))) == expected


def test_show_sess_with_request_lines() -> None:
    row = {'id': '0x1', 'proto': 'tcpv6', 'request': 'GET / HTTP/1.1'}
    assert show_sessions([row], parse_sess(('show-uri',))).endswith(' c_exp= uri="GET / HTTP/1.1"')
    assert show_sessions([row], SessRequest()).startswith('0x1: proto=tcpv6 ')


def test_show_sess_of_nobody() -> None:
    assert show_sessions([], SessRequest()) == ''
    with pytest.raises(Complaint, match='Session not found'):
        show_sessions(SESSIONS, SessRequest(id='0x9'))


def test_whose_sessions_are_missing_is_said() -> None:
    text = show_sessions(SESSIONS, SessRequest(id='0x2'), 'Not all.').splitlines()
    assert (len(text), text[-1]) == (2, '# Not all.')
    with pytest.raises(Complaint, match=r'^Session not found\. Not all\.$'):
        show_sessions(SESSIONS, SessRequest(id='0x9'), 'Not all.')


def test_show_sess_explains_itself() -> None:
    with pytest.raises(Complaint) as complaint:
        parse_sess(('help',))
    assert complaint.value.answer.severity is Severity.INFO
    assert '\n\n' not in complaint.value.answer.text


def test_an_age_without_a_value() -> None:
    assert show_sessions([{'id': '0x1', 'age_ms': None}], SessRequest()).count('age=0s') == 1


@pytest.mark.parametrize('words,first', [(('all',), ['0x1', '0x2', '0x3', '0x4']), (('0x2',), ['0x2'])])
def test_all_that_is_known_of_streams(words: tuple[str, ...], first: list[str]) -> None:
    text = show_sessions(SESSIONS, parse_sess(words))
    assert [line.split(':')[0] for line in text.splitlines() if not line.startswith(' ')] == first


def test_one_stream_as_a_whole() -> None:
    row = {
        'id': '0x000100000007', 'number': 7, 'worker': 0, 'proto': 'tcpv4', 'src': '10.0.0.1:5', 'local': '10.0.0.9:80',
        'frontend': 'fe', 'frontend_id': 2, 'backend': 'px', 'backend_id': 3, 'server': 's1', 'server_id': 1,
        'server_addr': '10.0.1.1:8080', 'age_ms': 5_000, 'wall': 1_700_000_000.5, 'state': 'QUEUED', 'retries': 2, 'requests': 4,
        'request': 'GET / HTTP/1.1', 'received': 70, 'sent': 0, 'times': [1, 2, -1, -1],
    }  # fmt: skip
    head, *rest = show_sessions([row], SessRequest(id='0x000100000007', whole=True)).splitlines()
    assert head.startswith('0x000100000007: [')
    assert head.endswith('] id=7 proto=tcpv4 source=10.0.0.1:5')
    assert rest == [
        '  flags=0x0, conn_retries=2, conn_exp=<NEVER> conn_et=0x000 srv_conn=(nil), pend_pos=(nil) waiting=1 epoch=0',
        '  frontend=fe (id=2 mode=http), listener=? (id=0) addr=10.0.0.9:80',
        '  backend=px (id=3 mode=http)',
        '  server=s1 (id=1) addr=10.0.1.1:8080',
        '  task=worker 1 (state=QUEUED age=5s)',
        '  txn=request 4 of its connection, times=1/2/-1/-1 uri="GET / HTTP/1.1"',
        '  req=(total=70)',
        '  res=(total=0)',
    ]
    nowhere = {**row, 'backend': '<NONE>', 'server': '<none>', 'state': 'ROUTED'}
    text = show_sessions([nowhere], SessRequest(whole=True))
    assert '\n  backend=<NONE> (id=-1 mode=-)\n  server=<NONE> (id=-1)\n' in text
    assert ' waiting=0 ' in text


@pytest.mark.parametrize(
    'words,text',
    [
        (('backend',), 'A backend name is expected.'),
        (('frontend',), 'A frontend name is expected.'),
        (('server',), "Require 'backend/server'."),
        (('older',), 'Expects a minimum age (in seconds by default).'),
        (('older', 'x'), 'Invalid age.'),
    ],
)
def test_operands_that_are_missing_or_wrong(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(Complaint) as complaint:
        parse_sess(words)
    assert complaint.value.answer.text == text
