from __future__ import annotations

import pytest

from dataplane.config.address import Address, parse_bind, parse_log, parse_server
from dataplane.config.problems import Rejected


@pytest.mark.parametrize(
    'text, addresses',
    [
        (':80', [Address('0.0.0.0', 80, 80)]),
        ('*:80', [Address('0.0.0.0', 80, 80)]),
        ('127.0.0.1:8080', [Address('127.0.0.1', 8080, 8080)]),
        ('localhost:80', [Address('localhost', 80, 80)]),
        (':80-82', [Address('0.0.0.0', 80, 82)]),
        (':80,:81,', [Address('0.0.0.0', 80, 80), Address('0.0.0.0', 81, 81)]),
        ('[::]:80', [Address('::', 80, 80)]),
        (':::80', [Address('::', 80, 80)]),
        ('::1:80', [Address('::1', 80, 80)]),
        ('[2001:DB8::1]:80', [Address('2001:db8::1', 80, 80)]),
        ('ipv4@:80', [Address('0.0.0.0', 80, 80)]),
        ('ipv6@:80', [Address('::', 80, 80)]),
        ('ipv6@*:80', [Address('::', 80, 80)]),
        ('ipv6@::1:80', [Address('::1', 80, 80)]),
        ('unix@/run/x', [Address(path='/run/x')]),
        ('unix@x', [Address(path='x')]),
        ('/run/x,:80', [Address(path='/run/x'), Address('0.0.0.0', 80, 80)]),
        ('abnsz@x', [Address(path='\0x')]),
        ('fd@3', [Address(fd=3)]),
    ],
)
def test_bind_addresses(text: str, addresses: list[Address]) -> None:
    assert parse_bind(text) == addresses


def test_abstract_names_are_padded_as_haproxy_does() -> None:
    path = parse_bind('abns@name')[0].path
    assert path is not None
    assert path.rstrip('\0') == '\0name'
    assert len(path) == 108


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('foo', "missing port specification in 'foo'"),
        ('80', 'missing port specification'),
        ('*', 'missing port specification'),
        (':0', "invalid port '0'"),
        (':99999', "invalid port '99999'"),
        (':', "invalid port ''"),
        (':80a', "invalid port '80a'"),
        (':-5', "invalid port '-5'"),
        ('*:80-', "invalid port '80-'"),
        (':90-80', "invalid port range '90-80'"),
        (':80-99999', 'invalid port range'),
        (',:80', 'resolves to an empty address'),
        ('fd@x', "file descriptor 'x' is not a valid integer"),
        ('fd@', "file descriptor '' is not a valid integer"),
        ('fd@1:80', "file descriptor '1:80'"),
        ('unix@', "socket path ''"),
        ('/' + 'x' * 107, 'too long (max 107)'),
        ('abns@' + 'é' * 54, 'too long'),
        ('ipv4@::1:80', "invalid address: '::1'"),
        ('ipv6@1.2.3.4:80', "invalid address: '1.2.3.4'"),
        ('ipv6@localhost:80', "invalid address: 'localhost'"),
        ('[::1:80', "invalid address: '[::1:80'"),
        ('[]:80', "invalid address: '[]:80'"),
        ('[::1]80', "invalid address: '[::1]80'"),
        ('1.2.3:80', "invalid address: '1.2.3'"),
        ('1.2.3.400:80', "invalid address: '1.2.3.400'"),
        ('foo@:80', "invalid address: 'foo@:80'"),
        ('a b:80', "invalid address: 'a b'"),
        ('udp@:80', 'dgram-type address not acceptable'),
        ('quic4@:80', 'QUIC is not supported'),
        ('sockpair@1', 'socket pairs are not supported'),
        ('rhttp@x', 'reverse HTTP is not supported'),
    ],
)
def test_what_is_no_bind_address(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_bind(text)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    'text, host, port',
    [
        ('127.0.0.1:80', '127.0.0.1', 80),
        ('127.0.0.1', '127.0.0.1', 0),
        ('127.0.0.1:0', '127.0.0.1', 0),
        ('[::1]:80', '::1', 80),
        ('[::1]', '::1', 0),
        ('::1:80', '::1', 80),
        ('ipv4@127.0.0.1:80', '127.0.0.1', 80),
        ('ipv6@::1:80', '::1', 80),
        ('/run/x', 'unix@/run/x', 0),
        ('unix@x.sock', 'unix@x.sock', 0),
        ('abns@x', 'abns@x', 0),
        ('abnsz@x', 'abnsz@x', 0),
        ('app-1.example.org:80', 'app-1.example.org', 80),
    ],
)
def test_server_addresses(text: str, host: str, port: int) -> None:
    assert parse_server(text) == parse_server(text, anywhere=True) == Address(host, port, port)


@pytest.mark.parametrize(
    'text, host, port',
    [
        (':80', '0.0.0.0', 80),
        ('*', '0.0.0.0', 0),
        ('*:80', '0.0.0.0', 80),
        ('0.0.0.0', '0.0.0.0', 0),
        ('0.0.0.0:80', '0.0.0.0', 80),
        ('ipv6@*:80', '::', 80),
        ('[::]:80', '::', 80),
        (':::80', '::', 80),
    ],
)
def test_where_the_client_connected_to(text: str, host: str, port: int) -> None:
    assert parse_server(text, anywhere=True) == Address(host, port, port)
    with pytest.raises(Rejected, match='an address is missing'):
        parse_server(text)


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('', 'an address is missing'),
        (':80', 'an address is missing'),
        ('*:80', 'an address is missing'),
        ('0.0.0.0:80', 'an address is missing'),
        ('[::]:80', 'an address is missing'),
        ('1.1.1.1:+80', 'port offsets are not supported'),
        ('1.1.1.1:-80', 'port offsets are not supported'),
        ('1.1.1.1:80-90', 'port range not permitted here'),
        ('1.1.1.1:99999', "invalid port '99999'"),
        ('1.1.1.1:x', "invalid port 'x'"),
        ('+80', "invalid address: '+80'"),
        ('::1', "invalid address: ':'"),
        ('unix@', 'is empty or too long'),
        ('fd@3', 'a file descriptor is not supported'),
        ('a_b!:80', 'invalid address'),
    ],
)
def test_what_is_no_server_address(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_server(text)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    'text, address',
    [
        ('stdout', 'stdout'),
        ('stderr', 'stderr'),
        ('fd@5', 'fd@5'),
        ('127.0.0.1', '127.0.0.1:514'),
        ('127.0.0.1:5514', '127.0.0.1:5514'),
        ('udp@127.0.0.1:5514', '127.0.0.1:5514'),
        ('[::1]:5514', '[::1]:5514'),
        ('/dev/log', '/dev/log'),
        ('unix@/dev/log', '/dev/log'),
        (':514', '0.0.0.0:514'),
        ('*', '0.0.0.0:514'),
        ('ipv6@:1514', '[::]:1514'),
    ],
)
def test_log_addresses(text: str, address: str) -> None:
    assert parse_log(text) == address


@pytest.mark.parametrize(
    'text', ['127.0.0.1:99999', '127.0.0.1:0', '', ':0', 'a b', 'ring@', 'abns@x', 'tcp@1.1.1.1:1']
)
def test_what_is_no_log_address(text: str) -> None:
    with pytest.raises(Rejected, match='log'):
        parse_log(text)
