"""`-S`: words of a stats socket, with commas between them."""

from __future__ import annotations

import pytest

from dataplane.config.problems import Rejected, Report
from dataplane.config.reader import Line
from dataplane.config.statssocket import parse_master_socket, parse_stats_socket
from dataplane.core.model import Level, StatsSocket


@pytest.mark.parametrize(
    'text, socket',
    [
        ('/run/m', StatsSocket(path='/run/m', level=Level.ADMIN)),
        ('unix@/run/m,level,operator', StatsSocket(path='/run/m', level=Level.OPERATOR)),
        ('127.0.0.1:9999,level,user', StatsSocket(host='127.0.0.1', port=9999, level=Level.USER)),
        ('/run/m,mode,600', StatsSocket(path='/run/m', mode=0o600, level=Level.ADMIN)),
        ('fd@7', StatsSocket(fd=7, level=Level.ADMIN)),
    ],
)
def test_what_is_asked_for(text: str, socket: StatsSocket) -> None:
    assert parse_master_socket(text) == (socket, [])


def test_a_host_name_is_looked_up_when_the_line_is_read() -> None:
    line = Line('t.cfg', 1, ('stats', 'socket', 'admin.example:9999'))
    found = parse_stats_socket(line, Report(), {'admin.example': '127.0.0.7'}.__getitem__)
    assert found == StatsSocket(host='127.0.0.7', port=9999, level=Level.OPERATOR)


def test_what_has_no_effect_is_told() -> None:
    assert parse_master_socket('/run/m,user,haproxy')[1] == ["'-S' : 'user' has no effect."]


@pytest.mark.parametrize(
    'text, said',
    [
        ('', "'bind' : '' resolves to an empty address (environment variable missing?)"),
        ('127.0.0.1:1-2', "'-S' : expects one address with one port or one path (got '127.0.0.1:1-2')"),
        ('/run/m,foo', "'-S' : unknown keyword 'foo'."),
        ('/run/m,level', "'-S' : 'level' : missing value"),
        ('/run/m,level,king', "'-S' : 'level' only supports 'user', 'operator', and 'admin' (got 'king')"),
        ('/run/m,mode,x', "'-S' : 'mode' : missing or invalid mode 'x' (octal integer expected)"),
    ],
)
def test_what_is_not_understood(text: str, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_master_socket(text)
    assert str(caught.value) == said
