from __future__ import annotations

from dataclasses import replace

from dataplane.cli.servers import (
    STATE_HEADER,
    ServerConnections,
    ServerState,
    show_backends,
    show_connections,
    show_sockets,
    show_state,
)
from dataplane.core.model import Level, StatsSocket

STATE = ServerState(
    backend_id=3, backend='px', id=1, name='s1', host='127.0.0.1', port=18472, opstate=2, admin=0, uweight=10, iweight=10,
    age=34,
)  # fmt: skip
CONNECTIONS = ServerConnections(
    backend_id=3, backend='px', id=1, name='s1', host='127.0.0.1', port=18472, purge_delay=5000, served=2, used=1,
    used_max=3, idle_limit=-1, idle=(1, 4),
)  # fmt: skip


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
        StatsSocket(fd=3),
    ]
    assert show_sockets(sockets) == (
        '# socket lvl processes\nunix@/run/s admin all\nipv4@127.0.0.1:9999 operator all\n'
        'ipv6@[::1]:9999 user all\nfd@3 operator all'
    )


def test_ids_that_the_file_says_are_marked() -> None:
    fields = replace(STATE, forced=(1, 0)).line().split()
    names = STATE_HEADER.split()[1:]
    assert (fields[names.index('bk_f_forced_id')], fields[names.index('srv_f_forced_id')]) == ('1', '0')
