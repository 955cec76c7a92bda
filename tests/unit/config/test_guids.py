"""`guid` and `guid-prefix`."""

from __future__ import annotations

import pytest

from dataplane.config.guids import checked_guid
from dataplane.config.problems import Rejected
from tests.unit.config.loading import HTTP, backend, backend_error, errors, frontend, frontend_error, snapshot


def test_what_has_one() -> None:
    assert frontend('guid f:1.x_-').guid == 'f:1.x_-'
    assert backend('guid b').guid == 'b'
    (server,) = backend('server s 127.0.0.1:80 guid s').servers
    assert server.guid == 's'
    assert frontend('').guid == backend('').guid == ''


def test_both_halves_of_a_listen_have_the_same() -> None:
    found = snapshot(f'{HTTP}listen l\n bind :80\n guid l\n')
    assert (found.frontends[0].guid, found.backends[0].guid) == ('l', 'l')


def test_each_listener_of_a_line_has_its_own() -> None:
    binds = frontend('bind :81-82,/run/x guid-prefix p\n bind :90 guid-prefix q').binds
    assert [bind.guid for bind in binds] == ['', 'p-0', 'p-1', 'p-2', 'q-0']


def test_the_first_server_of_a_template_has_it() -> None:
    servers = backend('server-template s 3 127.0.0.1:80 guid g').servers
    assert [server.guid for server in servers] == ['g', '', '']


@pytest.mark.parametrize(
    'value, said',
    [
        ('', "'guid' expects an argument."),
        ('x' * 128, "'guid' : UID too big"),
        ('a,b', "'guid' : invalid character ','"),
        ('a b', "'guid' : invalid character ' '"),
    ],
)
def test_what_cannot_be_one(value: str, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        checked_guid(value)
    assert str(caught.value) == said


def test_where_it_cannot_be() -> None:
    assert errors(f'{HTTP} guid x\n') == ["6: 'guid' not allowed in 'defaults' section."]
    assert backend_error('default-server guid x') == [
        "'default-server' : 'guid' option is not accepted in default-server sections"
    ]
    assert frontend_error('bind :81 guid-prefix a/b') == [
        "'bind :81' in section 'frontend' : 'guid-prefix' : invalid character '/'"
    ]
    assert backend_error('guid a b') == ["'guid' cannot handle unexpected argument 'b'."]


def test_nothing_has_that_of_something_else() -> None:
    text = f"""{HTTP}frontend f
 bind :80 guid-prefix p
 guid x
backend x
 guid x
 server s 127.0.0.1:80 guid p-0
 server t 127.0.0.1:80 guid y
listen l
 bind :81
 guid y
"""
    assert errors(text) == [
        "10: 'guid' : duplicate entry with frontend f",
        "11: 'guid' : duplicate entry with listener f (t.cfg:7)",
        "15: 'guid' : duplicate entry with server x/t",
    ]
