"""Words of server lines about the connections made to it."""

from __future__ import annotations

import pytest

from dataplane.core.model import Server
from dataplane.core.outbound import ProxyProtocol, Source
from tests.unit.config.loading import HTTP, errors, snapshot


def server(words: str) -> Server:
    return snapshot(f'{HTTP}backend b\n server s 127.0.0.1:1 {words}\n').backends[0].servers[0]


@pytest.mark.parametrize(
    'words,expected',
    [
        ('', None),
        ('send-proxy', ProxyProtocol(version=1)),
        ('send-proxy-v2', ProxyProtocol(version=2)),
        ('send-proxy send-proxy-v2', ProxyProtocol(version=2)),
        ('send-proxy-v2 send-proxy', ProxyProtocol(version=2)),
        ('send-proxy-v2-ssl', ProxyProtocol(version=2, ssl=True)),
        ('send-proxy-v2-ssl-cn', ProxyProtocol(version=2, ssl=True)),
        ('send-proxy-v2 no-send-proxy-v2', None),
        ('proxy-v2-options crc32c,unique-id send-proxy-v2', ProxyProtocol(version=2, crc32c=True, unique_id=True)),
        ('send-proxy-v2 proxy-v2-options ssl,authority', ProxyProtocol(version=2, ssl=True)),
        ('proxy-v2-options crc32c', None),
    ],
)
def test_the_proxy_protocol(words: str, expected: ProxyProtocol | None) -> None:
    assert server(words).proxy == expected


@pytest.mark.parametrize(
    'words,expected',
    [
        ('check', None),
        ('check send-proxy', ProxyProtocol(version=1)),
        ('check send-proxy port 7', None),
        ('check send-proxy addr 127.0.0.2', None),
        ('check send-proxy-v2 port 7 check-send-proxy', ProxyProtocol(version=2)),
        ('check check-send-proxy', ProxyProtocol(version=1)),
        ('check check-send-proxy no-check-send-proxy', None),
    ],
)
def test_what_checks_say_first(words: str, expected: ProxyProtocol | None) -> None:
    check = server(words).check
    assert check is not None
    assert check.proxy == expected


@pytest.mark.parametrize(
    'words,expected',
    [
        ('source 127.0.0.2', Source('127.0.0.2')),
        ('source 127.0.0.2:1000', Source('127.0.0.2', 1000)),
        ('source 0.0.0.0 interface lo', Source('', 0, 'lo')),
        ('source ::1', Source('::1')),
        ('source [::1]:7', Source('::1', 7)),
        ('source *:7', Source('', 7)),
        ('redir /', None),
    ],
)
def test_where_connections_come_from(words: str, expected: Source | None) -> None:
    assert server(words).source == expected


@pytest.mark.parametrize(
    'words,text',
    [
        ('proxy-v2-options ssl,nothing', "'nothing' : proxy v2 option not implemented."),
        ('source app.example', "'source' expects an address, perhaps with a port (got 'app.example')."),
        ('source 127.0.0.1:1-2', "'source' expects an address, perhaps with a port (got '127.0.0.1:1-2')."),
        ('source 127.0.0.1:70000', "'source' expects an address, perhaps with a port (got '127.0.0.1:70000')."),
        ('interface abcdefghijklmnop', "'interface' expects the name of an interface"),
        ('source 127.0.0.1 usesrc clientip', "'usesrc' is not supported"),
        ('redir', "'redir' expects an argument."),
    ],
)
def test_what_is_wrong(words: str, text: str) -> None:
    (found,) = errors(f'{HTTP}backend b\n server s 127.0.0.1:1 {words}\n')
    assert found.startswith("7: 'server b/s' : ")
    assert text in found


def test_where_clients_are_sent() -> None:
    assert server('redir http://other.example').redir == 'http://other.example'


def test_a_source_for_all_servers_without_one() -> None:
    text = f'{HTTP}backend b\n source 127.0.0.3 interface lo\n server s 127.0.0.1:1\n server t 127.0.0.1:2 source 127.0.0.4\n'
    one, other = snapshot(text).backends[0].servers
    assert one.source == Source('127.0.0.3', 0, 'lo')
    assert other.source == Source('127.0.0.4')


@pytest.mark.parametrize(
    'line,text',
    [
        ('source', "'source' expects <addr>[:<port>]"),
        ('source 127.0.0.1 usesrc clientip', "'source' only supports optional keyword 'interface' (got 'usesrc')."),
        ('source 127.0.0.1 interface', "'interface' expects the name of an interface (got '')."),
        ('option transparent', "'option transparent' in 'backend' section is not supported"),
    ],
)
def test_what_is_wrong_with_one(line: str, text: str) -> None:
    (found,) = errors(f'{HTTP}backend b\n {line}\n')
    assert text in found
