"""Words of server lines about checks."""

from __future__ import annotations

import pytest

from dataplane.core.checks import AgentCheck, InitState, Layer, Observe, OnError, Pace, ServerCheck
from dataplane.core.model import Server
from tests.unit.config.loading import backend, backend_error, general


def server(words: str) -> Server:
    return backend(f'server s 127.0.0.1:80 {words}').servers[0]


def test_every_word_of_a_check() -> None:
    found = server('check inter 1s fastinter 200 downinter 3s rise 4 fall 5 addr 127.0.0.2 port 81 init-state down')
    pace = Pace(inter=1_000, fastinter=200, downinter=3_000, rise=4, fall=5)
    assert found.check == ServerCheck(pace=pace, addr='127.0.0.2', port=81, init_state=InitState.DOWN)
    assert server('check addr 127.0.0.2:82').check == ServerCheck(addr='127.0.0.2', port=82)
    assert server('check').check == ServerCheck()
    assert server('inter 5s').check is None
    assert server('check no-check').check is None


def test_every_word_of_an_agent() -> None:
    found = server('agent-check agent-port 9 agent-addr 127.0.0.3 agent-inter 4s agent-send "hi\\n"')
    assert found.agent == AgentCheck(pace=Pace(inter=4_000, rise=1, fall=1), addr='127.0.0.3', port=9, send=b'hi\n')
    assert server('agent-port 9').agent is None


def test_an_agent_is_asked_where_checks_go_unless_it_has_an_address() -> None:
    for words, host in (
        ('addr 127.0.0.4', '127.0.0.4'),
        ('addr 127.0.0.4 agent-addr 127.0.0.3', '127.0.0.3'),
        ('agent-addr 127.0.0.3 addr 127.0.0.4', '127.0.0.3'),
    ):
        found = server(f'agent-check agent-port 9 {words}')
        assert found.agent is not None
        assert found.agent.addr == host


def test_observed_traffic() -> None:
    found = server('check observe layer7 error-limit 5 on-error sudden-death')
    assert found.observe == Observe(layer=Layer.LAYER7, limit=5, on_error=OnError.SUDDEN_DEATH)
    assert server('observe layer4').observe is None  # without a check there is nothing to move


def test_marks() -> None:
    found = server('on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions')
    assert (found.shutdown_when_down, found.shutdown_backups_when_up) == (True, True)


def test_tracking_names_a_server_of_the_same_backend_or_of_another() -> None:
    found = backend('server s 1.1.1.1:1 check\n server t 1.1.1.1:1 track s\n server u 1.1.1.1:1 track b/t')
    assert [one.track for one in found.servers] == [None, ('b', 's'), ('b', 't')]


def test_a_connect_line_with_a_port_is_port_enough() -> None:
    assert backend_error('option tcp-check\n tcp-check connect port 5\n server s 1.1.1.1 check') == []


@pytest.mark.parametrize(
    'lines, complaint',
    [
        ('server s 1.1.1.1 check', 'has neither service port nor check port'),
        ('server s 1.1.1.1:1 agent-check', 'does not have agent port'),
        ('server s 1.1.1.1:1 check track s', 'cannot be used with checks of its own'),
        ('server s 1.1.1.1:1 track a/b', "unable to find required server 'a/b' for tracking."),
        ('server s 1.1.1.1:1 track t\n server t 1.1.1.1:1', 'does not have any check nor agent enabled'),
        ('server s 1.1.1.1:1 track t\n server t 1.1.1.1:1 track s', 'belongs to a loop'),
    ],
)
def test_what_does_not_fit_together(lines: str, complaint: str) -> None:
    assert any(complaint in one for one in backend_error(lines))


def test_spreading() -> None:
    found = general('spread-checks 20\n max-spread-checks 15s')
    assert (found.spread_checks, found.max_spread_checks) == (20, 15_000)
