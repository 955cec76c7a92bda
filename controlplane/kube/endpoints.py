"""From the slices of a Service to the servers of one of its ports: what each endpoint's conditions mean, merged.

=========  ========  ============  ==========  =====================================================================
ready      serving   terminating   state       what it means
=========  ========  ============  ==========  =====================================================================
true/nil   any       any           ready       takes requests; with terminating only by publishNotReadyAddresses
false      true/nil  true          drain       on its way out: persistent streams only
false      false     true          stopping    on its way out and not answering: nobody; what is in flight may end
false      any       false/nil     maint       not ready: nobody; what is in flight may end
(absent)                           -           removed; what is in flight may end
=========  ========  ============  ==========  =====================================================================

nil is read as the API defines it: true for ready and serving, false for terminating. Slices of one Service are merged;
an endpoint that is in several of them (by address and port) counts once, as its best state says.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.kube.addresses import refusal
from controlplane.kube.objects import Slice
from controlplane.kube.packed import Endpoint


class EndpointState(StrEnum):
    """What Kubernetes says of an endpoint."""

    READY = 'ready'
    DRAIN = 'drain'
    STOPPING = 'stopping'
    MAINT = 'maint'


RANK: Final = {EndpointState.READY: 0, EndpointState.DRAIN: 1, EndpointState.STOPPING: 2, EndpointState.MAINT: 3}
# a data plane knows three states; to it a server that is stopping is one nobody is sent to
ADMIN: Final = {
    EndpointState.READY: 'ready', EndpointState.DRAIN: 'drain', EndpointState.STOPPING: 'maint', EndpointState.MAINT: 'maint',
}  # fmt: skip
_RESTRICTS: Final = ('ready', 'drain', 'maint')


def endpoint_state(ready: bool | None, serving: bool | None, terminating: bool | None) -> EndpointState:
    """The table above."""
    if ready is not False:
        return EndpointState.READY
    if not terminating:
        return EndpointState.MAINT
    return EndpointState.STOPPING if serving is False else EndpointState.DRAIN


def most_restrictive(*states: str) -> str:
    """Of ready, drain and maint, the one that lets the fewest in."""
    return max(states, key=_RESTRICTS.index, default='ready')


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that may become a server: one address and port, in the best state any slice reports."""

    address: str
    number: int
    state: EndpointState
    pod: str = ''
    pod_uid: str = ''
    node: str = ''
    zone: str = ''

    @property
    def place(self) -> tuple[str, int]:
        """What makes two of them the same one."""
        return self.address, self.number


@dataclass(frozen=True, slots=True)
class Merged:
    """The candidates in the order of their places, and why addresses were left out (address, reason)."""

    candidates: tuple[Candidate, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def merge(slices: Iterable[Slice], port: str, family: str, forbidden: Container[tuple[str, int]] = ()) -> Merged:
    """The endpoints behind the port of that name ('' unnamed) in all slices of one address type.

    The number may differ from slice to slice: pods of two versions may listen on two ports. `forbidden` places (the API
    server's) are refused, and so are addresses that are no host's of a network (`controlplane.kube.addresses`).
    """
    best: dict[tuple[str, int], Candidate] = {}
    refused: dict[str, str] = {}
    for one in slices:
        number = next((p.number for p in one.ports if p.name == port and p.protocol == 'TCP'), None)
        if one.address_type != family or number is None:
            continue
        for endpoint in one.endpoints:
            reason = refusal(endpoint.address, family)
            if reason is None and (endpoint.address, number) in forbidden:
                reason = 'is the API server'
            if reason is not None:
                refused[endpoint.address] = reason
                continue
            candidate = _candidate(endpoint, number)
            known = best.get(candidate.place)
            if known is None or _preference(candidate) < _preference(known):
                best[candidate.place] = candidate
    return Merged(tuple(best[place] for place in sorted(best)), tuple(sorted(refused.items())))


def _candidate(endpoint: Endpoint, number: int) -> Candidate:
    state = endpoint_state(endpoint.ready, endpoint.serving, endpoint.terminating)
    return Candidate(
        endpoint.address, number, state, endpoint.pod, endpoint.pod_uid, endpoint.node, endpoint.zone
    )  # fmt: skip


def _preference(candidate: Candidate) -> tuple[int, bool, str, str, str, str]:
    """Lower is better: ready first; then who is known to be a pod; then anything that does not depend on the order of slices."""
    who = candidate
    return RANK[who.state], not who.pod, who.pod_uid, who.pod, who.node, who.zone


def families(slices: Iterable[Slice]) -> frozenset[str]:
    """The address types there are."""
    return frozenset(one.address_type for one in slices)
