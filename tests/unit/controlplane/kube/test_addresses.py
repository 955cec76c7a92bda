from __future__ import annotations

import pytest

from controlplane.kube.addresses import canonical, refusal


@pytest.mark.parametrize(
    'address,family,reason',
    [
        ('10.1.2.3', 'IPv4', None),
        ('203.0.113.9', 'IPv4', None),
        ('fd00::1', 'IPv6', None),
        ('2001:db8::1', 'IPv6', None),
        ('127.0.0.1', 'IPv4', 'loopback'),
        ('127.8.8.8', 'IPv4', 'loopback'),
        ('::1', 'IPv6', 'loopback'),
        ('::ffff:127.0.0.1', 'IPv6', 'loopback'),
        ('64:ff9b::7f00:1', 'IPv6', 'loopback'),
        ('2002:7f00:1::', 'IPv6', 'loopback'),
        ('169.254.169.254', 'IPv4', 'link-local'),
        ('::ffff:169.254.169.254', 'IPv6', 'link-local'),
        ('64:ff9b::a9fe:a9fe', 'IPv6', 'link-local'),
        ('fe80::1', 'IPv6', 'link-local'),
        ('febf::1', 'IPv6', 'link-local'),
        ('0.0.0.0', 'IPv4', 'one host'),
        ('::', 'IPv6', 'one host'),
        ('224.0.0.1', 'IPv4', 'one host'),
        ('255.255.255.255', 'IPv4', 'one host'),
        ('ff02::1', 'IPv6', 'one host'),
        ('10.1.2.3', 'IPv6', 'not an IPv6'),
        ('fd00::1', 'IPv4', 'not an IPv4'),
        ('web.example.com', 'FQDN', 'not an IP'),
        ('', 'IPv4', 'not an IP'),
    ],
)
def test_which_addresses_may_be_servers(address: str, family: str, reason: str | None) -> None:
    said = refusal(address, family)
    assert (said is None) == (reason is None)
    assert said is None or str(reason) in said


@pytest.mark.parametrize(
    'text,one', [('FD00:0:0::1', 'fd00::1'), ('10.0.0.1', '10.0.0.1'), ('010.0.0.1', '010.0.0.1'), ('web', 'web')]
)
def test_one_address_has_one_spelling(text: str, one: str) -> None:
    assert canonical(text) == one
