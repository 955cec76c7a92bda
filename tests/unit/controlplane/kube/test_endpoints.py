from __future__ import annotations

import itertools

import pytest

from controlplane.kube.endpoints import EndpointState, endpoint_state, merge, most_restrictive
from tests.unit.controlplane.kube.things import endpoint, slice_

T, F, NIL = True, False, None


@pytest.mark.parametrize(
    'ready,serving,terminating,state',
    [
        (T, T, F, 'ready'),
        (T, NIL, F, 'ready'),
        (T, T, NIL, 'ready'),
        (NIL, T, F, 'ready'),
        (NIL, NIL, NIL, 'ready'),
        (T, F, F, 'ready'),
        (F, T, T, 'drain'),
        (F, NIL, T, 'drain'),
        (F, F, T, 'stopping'),
        (F, T, F, 'maint'),
        (F, F, F, 'maint'),
        (F, NIL, F, 'maint'),
        (F, T, NIL, 'maint'),
        (F, F, NIL, 'maint'),
        (F, NIL, NIL, 'maint'),
        (T, T, T, 'ready'),
        (T, F, T, 'ready'),
        (T, NIL, T, 'ready'),
        (NIL, NIL, T, 'ready'),
        (NIL, F, T, 'ready'),
    ],
)
def test_every_row_of_the_table(ready: bool | None, serving: bool | None, terminating: bool | None, state: str) -> None:
    assert endpoint_state(ready, serving, terminating) == state


def test_nil_is_read_as_the_api_defines_it() -> None:
    """true for ready and serving, false for terminating: in all 27 combinations."""
    for ready, serving, terminating in itertools.product([T, F, NIL], repeat=3):
        defined = endpoint_state(ready is not F, serving is not F, terminating is T)
        assert endpoint_state(ready, serving, terminating) == defined


def test_an_endpoint_without_conditions_is_ready() -> None:
    document = endpoint('10.0.0.1')
    del document['conditions']
    assert [one.state for one in merge([slice_('a', document)], 'http', 'IPv4').candidates] == [EndpointState.READY]


@pytest.mark.parametrize(
    'states,most',
    [((), 'ready'), (('ready', 'drain'), 'drain'), (('maint', 'drain'), 'maint'), (('ready', 'ready'), 'ready')],
)
def test_the_most_restrictive_state_counts(states: tuple[str, ...], most: str) -> None:
    assert most_restrictive(*states) == most


def test_slices_are_merged_and_an_endpoint_in_two_counts_once_as_the_better() -> None:
    one = slice_('a', endpoint('10.0.0.2', 'p2'), endpoint('10.0.0.1', 'p1', ready=False))
    two = slice_('b', endpoint('10.0.0.1', 'p1'), endpoint('10.0.0.3', 'p3', ready=False, terminating=True))
    for order in ([one, two], [two, one]):
        found = merge(order, 'http', 'IPv4').candidates
        assert [(c.address, c.number, c.state, c.pod) for c in found] == [
            ('10.0.0.1', 8080, 'ready', 'p1'),
            ('10.0.0.2', 8080, 'ready', 'p2'),
            ('10.0.0.3', 8080, 'drain', 'p3'),
        ]


def test_of_two_alike_the_one_that_is_known_to_be_a_pod_stays_whatever_the_order() -> None:
    one, two = slice_('a', endpoint('10.0.0.1')), slice_('b', endpoint('10.0.0.1', 'p1', zone='z'))
    for order in ([one, two], [two, one]):
        assert [(c.pod, c.zone) for c in merge(order, 'http', 'IPv4').candidates] == [('p1', 'z')]


def test_ports_go_by_name_and_their_numbers_may_differ_from_slice_to_slice() -> None:
    old = slice_('a', endpoint('10.0.0.1'), ports=[{'name': 'http', 'port': 8080}, {'name': 'admin', 'port': 9000}])
    new = slice_('b', endpoint('10.0.0.2'), ports=[{'name': 'http', 'port': 8081}])
    assert [c.place for c in merge([old, new], 'http', 'IPv4').candidates] == [('10.0.0.1', 8080), ('10.0.0.2', 8081)]
    assert [c.place for c in merge([old, new], 'admin', 'IPv4').candidates] == [('10.0.0.1', 9000)]
    assert merge([old, new], 'other', 'IPv4').candidates == ()


@pytest.mark.parametrize('port', [{'port': 80}, {'name': '', 'port': 80}, {'name': None, 'port': 80}])
def test_a_nil_name_is_the_empty_name(port: dict[str, object]) -> None:
    assert [c.place for c in merge([slice_('a', endpoint('10.0.0.1'), ports=[port])], '', 'IPv4').candidates] == [
        ('10.0.0.1', 80)
    ]


@pytest.mark.parametrize(
    'port', [{'name': 'http', 'port': 53, 'protocol': 'UDP'}, {'name': 'http'}, {'name': 'http', 'port': None}]
)
def test_ports_of_other_protocols_and_without_a_number_are_none(port: dict[str, object]) -> None:
    assert merge([slice_('a', endpoint('10.0.0.1'), ports=[port])], 'http', 'IPv4').candidates == ()


def test_only_the_first_address_of_an_endpoint_counts() -> None:
    document = endpoint('10.0.0.1') | {'addresses': ['10.0.0.1', '10.0.0.9']}
    assert [c.address for c in merge([slice_('a', document)], 'http', 'IPv4').candidates] == ['10.0.0.1']


def test_other_address_types_are_passed_over() -> None:
    six = slice_('a', endpoint('fd00:0::1'), family='IPv6')
    named = slice_('b', endpoint('web.example.com'), family='FQDN')
    four = slice_('c', endpoint('10.0.0.1'))
    assert [c.address for c in merge([six, named, four], 'http', 'IPv4').candidates] == ['10.0.0.1']
    assert [c.address for c in merge([six, named, four], 'http', 'IPv6').candidates] == ['fd00::1']


def test_the_api_server_is_refused_and_its_neighbour_on_that_host_is_not() -> None:
    one = slice_('a', endpoint('10.0.0.1'), endpoint('10.0.0.2'))
    found = merge([one], 'http', 'IPv4', {('10.0.0.1', 8080), ('10.0.0.2', 6443)})
    assert [c.address for c in found.candidates] == ['10.0.0.2']
    assert found.refused == (('10.0.0.1', 'is the API server'),)


def test_what_is_no_host_of_a_network_is_refused() -> None:
    found = merge(
        [slice_('a', endpoint('127.0.0.1'), endpoint('169.254.169.254'), endpoint('10.0.0.1'))], 'http', 'IPv4'
    )
    assert [c.address for c in found.candidates] == ['10.0.0.1']
    assert found.refused == (('127.0.0.1', 'is a loopback address'), ('169.254.169.254', 'is a link-local address'))
