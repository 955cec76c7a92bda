"""What is declared of names: what follows from it."""

from __future__ import annotations

import copy
import pickle
from ipaddress import ip_network

import pytest

from dataplane.core.lookup import Hold, Lookup, Nameserver, Resolvers, is_address


@pytest.mark.parametrize(
    'host, is_one', [('10.0.0.1', True), ('::1', True), ('fe80::1%eth0', True), ('a.example', False), ('', False)]
)
def test_addresses_are_numbers(host: str, is_one: bool) -> None:
    assert is_address(host) is is_one


def test_the_host_that_is_asked_for() -> None:
    name, service = Lookup(resolvers='r', name='a.example'), Lookup(resolvers='r', name='_http._tcp.a.example')
    assert (name.host, name.is_service, name.of) == ('a.example', False, ('r', 'a.example'))
    assert (service.host, service.is_service) == ('', True)
    assert Lookup(resolvers='r', name='a.example', fqdn='b.example').host == 'b.example'
    assert Lookup(resolvers='r', name='_http._tcp.a.example', fqdn='c.example').host == 'c.example'


def test_they_travel() -> None:
    section = Resolvers(name='r', nameservers=(Nameserver(name='n', host='::1', port=53, tcp=True),), hold=Hold(nx=1))
    for one in (section, Lookup(resolvers='r', name='n', nets=(ip_network('10.0.0.0/8'),))):
        assert pickle.loads(pickle.dumps(one)) == one == copy.copy(one)
