"""The words of `add server`."""

from __future__ import annotations

import pytest

from dataplane.config.dynamic import read_server, words_for_servers
from dataplane.config.problems import Rejected
from dataplane.core.checks import AgentCheck, Connect, Pace, Probe, ServerCheck
from dataplane.core.model import Backend, Server

BACKEND = Backend(name='be', id=2, default_server=('weight', '7', 'check', 'non-stick'))


def server(words: str, probe: Probe | None = None) -> Server:
    return read_server(Backend(name='be', id=2, probe=probe or Probe()), 'n', words.split())[0]


def test_words_are_those_of_a_server_line() -> None:
    found = server('10.0.0.1:80 weight 3 maxconn 4 id 7 backup check inter 1s agent-check agent-port 9 cookie c')
    assert found == Server(
        name='n', id=7, forced_id=True, host='10.0.0.1', port=80, weight=3, maxconn=4, minconn=4, backup=True, cookie='c',
        check=ServerCheck(pace=Pace(inter=1_000)), agent=AgentCheck(pace=Pace(inter=2_000, rise=1, fall=1), port=9), where='CLI',
    )  # fmt: skip
    assert server('[::1]').host == '::1'
    assert server('10.0.0.1 track be/a').track == ('be', 'a')


def test_what_has_no_effect_is_told() -> None:
    assert read_server(BACKEND, 'n', ['10.0.0.1:80', 'tfo'])[1] == (
        "'tfo' has no effect: tuning of the socket layer without effect here.",
    )


def test_default_server_lines_count_for_those_who_ask_for_them() -> None:
    def begun(words: str) -> Server:
        return read_server(BACKEND, 'n', words.split(), {'other': ('weight', '9')}.get)[0]

    assert (begun('10.0.0.1:80').weight, begun('10.0.0.1:80 from none maxconn 2').weight) == (1, 1)
    found = begun('10.0.0.1:80 from be: maxconn 2')
    assert (found.weight, found.maxconn, found.check is not None, found.non_stick) == (7, 2, True, True)
    assert begun('10.0.0.1:80 from be: weight 8').weight == 8
    assert begun('10.0.0.1:80 from be:other').weight == 9


@pytest.mark.parametrize(
    'words, said',
    [
        ('', "'server' expects <name> and <addr>[:<port>] as arguments."),
        ('10.0.0.1:80 foo', "unknown keyword 'foo'."),
        ('10.0.0.1:80 weight', "'weight' expects an argument."),
        ('10.0.0.1:80 ssl', "'ssl' is not supported: TLS is not supported yet."),
        ('10.0.0.1:99999', "invalid port '99999' in '10.0.0.1:99999'."),
        ('10.0.0.1:80 from x', "'from' expects 'none' or 'be:[<backend>]' (got 'x')."),
        ('10.0.0.1:80 from be:x', "'from' : unable to find backend 'x'."),
        ('10.0.0.1:80 weight 3 from none', "'from' option is not accepted for dynamic server"),
        ('10.0.0.1:80 stick', "'stick' option is not accepted for dynamic server"),
        ('10.0.0.1:80 weight 3 max-reuse 2', "'max-reuse' option is not accepted for dynamic server"),
        ('10.0.0.1:80 check track be/a', 'unable to enable checks and tracking at the same time!'),
        (
            '10.0.0.1 check',
            "server 'n' has neither service port nor check port nor tcp_check rule 'connect' with port information.",
        ),
        ('10.0.0.1 agent-check', 'server n does not have agent port. Agent check has been disabled.'),
    ],
)
def test_what_is_refused(words: str, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        server(words)
    assert str(caught.value) == said


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Rejected) as caught:
        server('10.0.0.1:80 weight 999 maxconn x')
    first, second = str(caught.value).split('\n')
    assert first.startswith("'weight' value must be between 0 and 256")
    assert second.startswith("'maxconn'")


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(Rejected, match=r"character '\+' is not permitted in server name 'n\+'\."):
        read_server(BACKEND, 'n+', ['10.0.0.1:80'])


@pytest.mark.parametrize('ports, enough', [((81,), True), ((81, 0), False), ((), False)])
def test_a_connect_line_with_a_port_is_port_enough(ports: tuple[int, ...], enough: bool) -> None:
    probe = Probe(steps=tuple(Connect(port=port) for port in ports))
    if enough:
        assert server('10.0.0.1 check', probe).check is not None
    else:
        with pytest.raises(Rejected):
            server('10.0.0.1 check', probe)


def test_the_words_that_are_taken() -> None:
    words = words_for_servers()
    assert {'check', 'weight', 'maxconn', 'id', 'track'} < set(words)
    assert not {'stick', 'max-reuse', 'ssl', 'tfo'} & set(words)
