"""Words of a server line about its name."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dataplane.config import ConfigErrors, load
from dataplane.core.lookup import DEFAULT_INIT, Lookup
from tests.unit.config.loading import HTTP


def lookups(words: str) -> list[Lookup | None]:
    text = f'resolvers r\n{HTTP}backend b\n default-server resolvers r init-addr none\n server-template s 2 a.example:80 {words}\n'
    return [server.lookup for server in load([('t.cfg', text)], {}, cores=1).snapshot.backends[0].servers]


def test_what_can_be_said_is_kept() -> None:
    found = lookups('resolve-prefer ipv4 resolve-net 10.1.2.3/8,fe80::/10 resolve-opts allow-dup-ip,ignore-weight')
    nets = (ip_network('10.0.0.0/8'), ip_network('fe80::/10'))
    assert (
        found
        == [
            Lookup(resolvers='r', name='a.example', init=('none',), prefer='ipv4', nets=nets, shares=True, weighs=False)
        ]
        * 2
    )
    (plain, _) = lookups('resolve-opts allow-dup-ip,prevent-dup-ip')
    assert plain == Lookup(resolvers='r', name='a.example', init=('none',))
    assert DEFAULT_INIT == ('last', 'libc', 'none')


@pytest.mark.parametrize(
    'words, problem',
    [
        ('resolve-prefer ipv5', "'resolve-prefer' expects either ipv4 or ipv6 as argument (got 'ipv5')."),
        ('resolve-net here', "'resolve-net' invalid network 'here'."),
        ('resolve-net ' + ','.join(['10.0.0.0/8'] * 6), "'resolve-net' cannot assign more than 5 networks (got 6)."),
        (
            'resolve-opts twice',
            "'resolve-opts' : unknown resolve-opts option 'twice', supported methods are 'allow-dup-ip', 'prevent-dup-ip', 'ignore-weight'.",
        ),
        ('init-addr dns', "'init-addr' : unknown init-addr method 'dns', supported methods are 'last', 'libc', 'none'."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(words: str, problem: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        lookups(words)
    assert problem in str(raised.value.errors[0])
