"""`resolvers` sections: taken where the system's resolver asks the same nameservers, refused by name where it does not."""

from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, Loaded, load
from tests.unit.config.loading import HTTP

DOCKER = b'search a.example\nnameserver 127.0.0.11\noptions ndots:0\n'


def loaded(text: str, resolv_conf: bytes | None = DOCKER) -> Loaded:
    def read_file(path: str, size: int) -> bytes:
        assert path == '/etc/resolv.conf'
        if resolv_conf is None:
            raise FileNotFoundError(2, 'No such file or directory')
        return resolv_conf[:size]

    return load([('t.cfg', text)], {}, cores=1, read_file=read_file)


def refused(text: str, resolv_conf: bytes | None = DOCKER) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        loaded(text, resolv_conf)
    return [f'{problem.line}: {problem.text}' for problem in raised.value.errors]


def test_the_nameservers_that_are_asked_anyway_are_taken() -> None:
    text = (
        'resolvers docker\n nameserver dns1 127.0.0.11:53\n nameserver dns2 udp@127.0.0.11\n parse-resolv-conf\n resolve_retries 3\n'
        f' timeout resolve 1s\n hold valid 10s\n accepted_payload_size 8192\n{HTTP}backend b\n server s app:80 resolvers docker init-addr libc,none\n'
    )
    found = loaded(text)
    assert [(server.host, server.port) for server in found.snapshot.backends[0].servers] == [('app', 80)]
    assert [f'{warning.line}: {warning.text}' for warning in found.warnings] == [
        f"{line}: '{word}' in 'resolvers' section has no effect: a name is looked up for each connection."
        for line, word in ((5, 'resolve_retries'), (6, 'timeout'), (7, 'hold'), (8, 'accepted_payload_size'))
    ]


@pytest.mark.parametrize(
    'address, resolv_conf, asked',
    [
        ('10.0.0.1:53', DOCKER, '127.0.0.11'),
        ('127.0.0.11:8600', DOCKER, '127.0.0.11'),
        ('10.0.0.1:53', b'nameserver 10.0.0.2\nnameserver fe80::1%eth0 # here\n', '10.0.0.2, fe80::1'),
        ('10.0.0.1:53', b'', '127.0.0.1'),
        ('10.0.0.1:53', None, '127.0.0.1'),
    ],
)
def test_a_nameserver_that_would_never_be_asked_is_refused(address: str, resolv_conf: bytes | None, asked: str) -> None:
    assert refused(f'resolvers r\n nameserver dns1 {address}\n', resolv_conf) == [
        (
            f"2: nameserver 'dns1' ({address}) would never be asked: names are looked up by the system's resolver, "
            f'which asks those of /etc/resolv.conf ({asked}).'
        )
    ]


@pytest.mark.parametrize(
    'line, problem',
    [
        ('server s app:80 resolvers none', "'server b/s' : unable to find required resolvers 'none'."),
        (
            'server s _http._tcp.app resolvers r',
            "'server b/s' : 'resolvers' : SRV records like '_http._tcp.app' are not looked up, addresses are.",
        ),
    ],
)
def test_what_one_lookup_cannot_give_is_refused(line: str, problem: str) -> None:
    assert refused(f'resolvers r\n{HTTP}backend b\n {line}\n') == [f'8: {problem}']


def test_many_servers_of_one_name_are_refused_one_is_not() -> None:
    head = f'{HTTP}backend b\n server-template s'
    assert [text.partition(' : ')[0] for text in refused(f'{head} 2 app:80 resolvers default\n')] == [
        "7: 'server b/s1'", "7: 'server b/s2'",
    ]  # fmt: skip
    assert loaded(f'{head} 1 app:80 resolvers default\n').snapshot.backends[0].servers[0].host == 'app'


@pytest.mark.parametrize(
    'text, problem',
    [
        ('resolvers', '1: missing name for resolvers section.'),
        ('resolvers a b', "1: 'resolvers' cannot handle unexpected argument 'b'."),
        ('resolvers a\nresolvers a', "2: resolvers section 'a' has same name as another one (declared at t.cfg:1)."),
        ('resolvers a\n holds nx 1s', "2: unknown keyword 'holds' in 'resolvers' section; did you mean 'hold' maybe ?"),
        ('resolvers a\n nameserver x', "2: 'nameserver' expects <name> and <address>[:port] as arguments."),
        (
            'resolvers a\n hold x 1s',
            "2: 'hold' expects one of 'nx', 'refused', 'timeout', 'other', 'valid', 'obsolete' (got 'x').",
        ),
        ('resolvers a\n timeout x 1s', "2: 'timeout' expects one of 'resolve', 'retry' (got 'x')."),
        ('resolvers a\n resolve_retries x', "2: 'resolve_retries' expects an integer argument (got 'x')."),
        ('resolvers a\n parse-resolv-conf x', "2: 'parse-resolv-conf' cannot handle unexpected argument 'x'."),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    assert refused(f'{text}\n') == [problem]
