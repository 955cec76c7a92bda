from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dataplane.cli.servers import (
    STATE_HEADER,
    ServerConnections,
    ServerState,
    SessRequest,
    parse_sess,
    session_lines,
    show_backends,
    show_connections,
    show_env,
    show_sockets,
    show_state,
)
from dataplane.cli.session import Complaint, Severity
from dataplane.core.model import Level, StatsSocket

STATE = ServerState(
    backend_id=3, backend='px', id=1, name='s1', host='127.0.0.1', port=18472, opstate=2, admin=0, uweight=10, iweight=10,
    age=34,
)  # fmt: skip
CONNECTIONS = ServerConnections(
    backend_id=3, backend='px', id=1, name='s1', host='127.0.0.1', port=18472, purge_delay=5000, served=2, used=1,
    used_max=3, idle_limit=-1, idle=(1, 4),
)  # fmt: skip
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


def test_show_servers_state() -> None:
    assert show_state([STATE]) == (
        f'1\n{STATE_HEADER}\n3 px 1 s1 127.0.0.1 2 0 10 10 34 1 0 0 0 0 0 0 - 18472 - 0 0 - - 0'
    )
    assert len(STATE_HEADER.split()) - 1 == len(STATE.line().split()) == 25


def test_show_servers_conn() -> None:
    header, row = show_connections([CONNECTIONS], 2).split('\n')
    assert header == (
        '# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb safe_nb '
        'idle_lim idle_cur idle_per_thr[2]'
    )
    assert row == 'px/s1 3/1 127.0.0.1 18472 - 5000 2 1 3 1 0 0 5 -1 5 1 4'


def test_lists() -> None:
    assert show_backends(['px', 'empty']) == '# name\npx\nempty'
    sockets = [
        StatsSocket(path='/run/s', level=Level.ADMIN),
        StatsSocket(host='127.0.0.1', port=9999),
        StatsSocket(host='::1', port=9999, level=Level.USER),
    ]
    assert show_sockets(sockets) == (
        '# socket lvl processes\nunix@/run/s admin all\nipv4@127.0.0.1:9999 operator all\nipv6@[::1]:9999 user all'
    )


def test_show_env() -> None:
    assert show_env({'A': '1', 'B': '2'}, '') == 'A=1\nB=2'
    assert show_env({'A': '1'}, 'A') == 'A=1'
    with pytest.raises(Complaint, match='Variable not found'):
        show_env({}, 'A')


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
        (('all',), ['0x1', '0x2', '0x3', '0x4']),
        (('0x2',), ['0x2']),
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
