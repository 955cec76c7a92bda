"""`resolvers` sections, and what servers that name one get: their name, how it is asked for, and their first address."""

from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, Loaded, load
from dataplane.core.lookup import Hold, Nameserver, Resolvers
from dataplane.core.model import Server
from tests.unit.config.loading import HTTP

CONF = b'search a.example\nnameserver 127.0.0.11\nnameserver fe80::1%eth0 # here\nnameserver\nnameserver nobody\noptions ndots:0\n'
SECTION = 'resolvers r\n nameserver n 10.0.0.1:53\n'
KNOWN = {'known.example': '10.0.0.7', 'dns.example': '10.0.0.8'}


def loaded(text: str, resolv_conf: bytes | None = None) -> Loaded:
    def read_file(path: str, size: int) -> bytes:
        assert path == '/etc/resolv.conf'
        if resolv_conf is None:
            raise FileNotFoundError(2, 'No such file or directory')
        return resolv_conf[:size]

    def look_up(name: str) -> str:
        if name not in KNOWN:
            raise OSError(-2, 'Name or service not known')
        return KNOWN[name]

    return load([('t.cfg', text)], {}, cores=1, read_file=read_file, look_up=look_up)


def refused(text: str, resolv_conf: bytes | None = None) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        loaded(text, resolv_conf)
    return [f'{problem.line}: {problem.text}' for problem in raised.value.errors]


def servers(lines: str) -> tuple[Server, ...]:
    return loaded(f'{SECTION}{HTTP}backend b\n{lines}').snapshot.backends[0].servers


def test_a_section_as_docker_and_consul_users_write_it() -> None:
    text = (
        'resolvers docker\n nameserver dns1 127.0.0.11:53\n nameserver dns2 tcp@10.0.0.2:5353\n nameserver dns3 udp6@::1:53\n'
        ' nameserver dns4 dns.example:53\n parse-resolv-conf\n resolve_retries 5\n timeout resolve 2s\n timeout retry 500\n'
        ' hold valid 10s\n hold obsolete 30s\n hold nx 1s\n hold other 2s\n hold refused 3s\n hold timeout 4s\n accepted_payload_size 8192\n'
    )
    found = loaded(text, CONF)
    docker, default = found.snapshot.resolvers
    of_the_system = tuple(Nameserver(name=host, host=host, port=53) for host in ('127.0.0.11', 'fe80::1%eth0'))
    assert docker == Resolvers(
        name='docker',
        nameservers=(
            Nameserver(name='dns1', host='127.0.0.11', port=53),
            Nameserver(name='dns2', host='10.0.0.2', port=5353, tcp=True),
            Nameserver(name='dns3', host='::1', port=53),
            Nameserver(name='dns4', host='10.0.0.8', port=53),
            *of_the_system,
        ),
        payload=8_192,
        retries=5,
        resolve=2_000,
        retry=500,
        hold=Hold(valid=10_000, obsolete=30_000, nx=1_000, other=2_000, refused=3_000, timeout=4_000),
    )
    assert default == Resolvers(name='default', nameservers=of_the_system)
    assert not found.warnings


def test_the_built_in_section_is_there_when_it_can_be() -> None:
    assert loaded('resolvers r\n').snapshot.resolvers == (Resolvers(name='r'),)
    own = loaded('resolvers default\n', CONF).snapshot.resolvers
    assert own == (Resolvers(name='default'),)


@pytest.mark.parametrize(
    'line, problem',
    [
        ('nameserver n1', "'nameserver' expects <name> and <addr>[:<port>] as arguments."),
        ('nameserver n1 127.0.0.1', "'nameserver n1' : missing port specification in '127.0.0.1'"),
        ('nameserver n1 unix@/x', "'nameserver n1' : missing port specification in 'unix@/x'"),
        ('nameserver n1 127.0.0.1:53-54', "port range not permitted here in '127.0.0.1:53-54'"),
        ('nameserver n1 unknown.example:53', "'nameserver n1' : could not resolve address 'unknown.example'."),
        ('nameserver n 10.0.0.2:53', "nameserver 'n' has same name as another nameserver (declared at t.cfg:2)."),
        ('parse-resolv-conf', 'failed to open /etc/resolv.conf.'),
        (
            'hold never 1s',
            "'hold' expects one of 'nx', 'refused', 'timeout', 'other', 'valid', 'obsolete' (got 'never').",
        ),
        ('timeout never 1s', "'timeout' expects one of 'resolve', 'retry' (got 'never')."),
        ('resolve_retries x', "'resolve_retries' expects an integer argument (got 'x')."),
        ('accepted_payload_size 1', "'accepted_payload_size' value must be between 12 and 65535 (was 1)"),
        ('accepted_payload_size 70000', "'accepted_payload_size' value must be between 12 and 65535 (was 70000)"),
        ('name_server x', "unknown keyword 'name_server' in 'resolvers' section; did you mean 'nameserver' maybe ?"),
    ],
)
def test_lines_that_cannot_be(line: str, problem: str) -> None:
    assert refused(f'{SECTION} {line}\n') == [f'3: {problem}']


def test_names_of_sections() -> None:
    assert refused('resolvers\n') == ['1: missing name for resolvers section.']
    twice = "2: resolvers 'r' has same name as another resolvers (declared at t.cfg:1)."
    assert refused('resolvers r\nresolvers r\n') == [twice]
    text = f'{SECTION}{HTTP}backend b\n server s app:80 resolvers other\n'
    (problem,) = refused(text)
    assert problem.endswith("'server b/s' : unable to find required resolvers 'other'")


def test_the_first_address_is_the_systems_unless_init_addr_says_otherwise() -> None:
    found = servers(
        ' server a known.example:80 resolvers r\n server b unknown.example:80 resolvers r init-addr none\n'
        ' server c unknown.example:80 resolvers r init-addr last,libc,10.9.9.9\n server d 10.1.1.1:80 resolvers r\n'
        ' server e unknown.example:80\n server f _http._tcp.a.example resolvers r\n'
    )
    assert [one.host for one in found] == [
        '10.0.0.7', 'unknown.example', '10.9.9.9', '10.1.1.1', 'unknown.example', '_http._tcp.a.example',
    ]  # fmt: skip
    assert [one.lookup.name if one.lookup else '' for one in found] == [
        'known.example', 'unknown.example', 'unknown.example', '', '', '_http._tcp.a.example',
    ]  # fmt: skip


def test_a_name_without_an_address_is_told_of_or_refused() -> None:
    text = f'{SECTION}{HTTP}backend b\n'
    found = loaded(f'{text} server-template s 2 unknown.example:80 resolvers r\n')
    told = "could not resolve address 'unknown.example', disabling server."
    assert [one.text for one in found.warnings] == [f"'server b/s{number}' : {told}" for number in (1, 2)]
    (problem,) = refused(f'{text} server s unknown.example:80 resolvers r init-addr last,libc\n')
    assert problem.endswith("'server b/s' : could not resolve address 'unknown.example'.")
    (problem,) = refused(f'{text} server s unknown.example:80 init-addr 10.0.0.1\n')
    assert problem.endswith(
        "'init-addr' 10.0.0.1 needs 'resolvers': without, the name is looked up for each connection."
    )
    (problem,) = refused(f'{text} server s a..example:80 resolvers r\n')
    assert problem.endswith("'server b/s' : failed to parse FQDN 'a..example'.")
