"""All objects there are, found by the Service they are about, whatever order they arrive in.

What must hold:

1. The same objects give the same world, however often, in whichever order and however late each was delivered: of two
   states of one object the one with the higher resourceVersion stays, and an object that was removed does not come back
   (its uid is remembered, the newest `REMEMBERED` of them).
2. A Service is `dirty` exactly when something its backends are made of has changed since `take_dirty`.

`resourceVersion`s of one object are compared as numbers, as Kubernetes has declared them to be; one that is no number is
newer than what is known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from controlplane.kube.endpoints import RANK, endpoint_state
from controlplane.kube.objects import Meta, Name, Override, Policy, Service, Slice, age
from controlplane.kube.packed import Endpoint
from controlplane.kube.settle import SETTLE_MS, Settle

Thing = Service | Slice | Policy | Override
REMEMBERED: Final = 16_384
API_SERVER: Final = ('default', 'kubernetes')  # the Service whose endpoints are the API servers


class Changed(Enum):
    """What a delivery came to. URGENT: it takes something away or is somebody's wish, so it does not wait for others."""

    NOTHING = 0
    SOMETHING = 1
    URGENT = 2


class World:
    """The objects, by kind and name, with what belongs to each Service."""

    def __init__(self, settle_ms: int = SETTLE_MS) -> None:
        self._things: dict[type[Thing], dict[Name, Thing]] = {Service: {}, Slice: {}, Policy: {}, Override: {}}
        self._of: dict[type[Thing], dict[Name, dict[Name, Thing]]] = {Slice: {}, Policy: {}, Override: {}}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._settle = Settle(settle_ms)
        self._dirty: set[Name] = set()
        self._api_servers: frozenset[tuple[str, int]] = frozenset()

    def put(self, thing: Thing, now: int) -> Changed:
        """Here is an object, new or changed or the same again."""
        if thing.meta.uid in self._gone:
            return Changed.NOTHING
        old = self._things[type(thing)].get(thing.meta.key)
        if old is not None and _is_stale(thing.meta, old.meta):
            return Changed.NOTHING
        self._things[type(thing)][thing.meta.key] = thing
        self._index(old, thing)
        if old == thing:
            return Changed.NOTHING
        return self._note(old, thing, now)

    def remove(self, thing: Thing, now: int) -> Changed:
        """This object (its uid counts) is no more."""
        if thing.meta.uid:
            self._gone[thing.meta.uid] = None
            while len(self._gone) > REMEMBERED:
                self._gone.popitem(last=False)
        old = self._things[type(thing)].get(thing.meta.key)
        if old is None or old.meta.uid != thing.meta.uid:
            return Changed.NOTHING
        del self._things[type(thing)][thing.meta.key]
        self._index(old, None)
        return self._note(old, None, now)

    def expire(self, now: int) -> Changed:
        """Let go of endpoints that did not come back."""
        lost = self._settle.expire(now)
        self._dirty |= lost
        return Changed.URGENT if lost else Changed.NOTHING

    def next_at(self) -> int | None:
        """When `expire` has something to do."""
        return self._settle.next_at()

    def take_dirty(self) -> frozenset[Name]:
        """The Services to be looked at again; from now on they are clean."""
        dirty, self._dirty = frozenset(self._dirty), set()
        return dirty

    def service(self, name: Name) -> Service | None:
        """The Service of that name."""
        found = self._things[Service].get(name)
        assert found is None or isinstance(found, Service)
        return found

    def slices(self, service: Name) -> tuple[Slice, ...]:
        """All slices of a Service, and its endpoints that linger."""
        return (
            *(one for one in self._belonging(Slice, service) if isinstance(one, Slice)),
            *self._settle.slices(service),
        )

    def policies(self, service: Name) -> list[Policy]:
        """All policies that target a Service or a port of it, the oldest first."""
        found = [one for one in self._belonging(Policy, service) if isinstance(one, Policy)]
        return sorted(found, key=age)

    def overrides(self, service: Name) -> list[Override]:
        """All overrides for servers of a Service, by name."""
        found = [one for one in self._belonging(Override, service) if isinstance(one, Override)]
        return sorted(found, key=lambda one: one.meta.key)

    def override(self, name: Name) -> Override | None:
        """The override of that name."""
        found = self._things[Override].get(name)
        assert found is None or isinstance(found, Override)
        return found

    def all_policies(self) -> Mapping[Name, Policy]:
        """Every policy there is."""
        return {key: one for key, one in self._things[Policy].items() if isinstance(one, Policy)}

    def all_overrides(self) -> Mapping[Name, Override]:
        """Every override there is."""
        return {key: one for key, one in self._things[Override].items() if isinstance(one, Override)}

    def api_servers(self) -> frozenset[tuple[str, int]]:
        """Addresses and ports of the API servers, to which nobody is ever proxied."""
        return self._api_servers

    def _belonging(self, kind: type[Thing], service: Name) -> Iterator[Thing]:
        yield from self._of[kind].get(service, {}).values()

    def _index(self, old: Thing | None, new: Thing | None) -> None:
        for thing in (old, new):
            if thing is None or isinstance(thing, Service):
                continue
            of = self._of[type(thing)]
            for service in owners(thing):
                if thing is new:
                    of.setdefault(service, {})[thing.meta.key] = thing
                elif service in of:
                    of[service].pop(thing.meta.key, None)
                    if not of[service]:
                        del of[service]

    def _note(self, old: Thing | None, new: Thing | None, now: int) -> Changed:
        for thing in (old, new):
            if thing is not None:
                self._dirty.update(owners(thing))
        if isinstance(old, Slice) or isinstance(new, Slice):
            assert old is None or isinstance(old, Slice)
            for service in {name for one in (old, new) if one is not None for name in owners(one)}:
                before = old if old is not None and service in owners(old) else None
                there = [one for one in self._belonging(Slice, service) if isinstance(one, Slice)]
                self._settle.changed(service, before, there, now)
        if any(thing is not None and API_SERVER in owners(thing) for thing in (old, new)):
            self._find_api_servers()
        return Changed.URGENT if is_urgent(old, new) else Changed.SOMETHING

    def _find_api_servers(self) -> None:
        """Where they listen, and the Service's own addresses, which lead there."""
        slices = [one for one in self._belonging(Slice, API_SERVER) if isinstance(one, Slice)]
        places = {(end.address, port.number) for one in slices for end in one.endpoints for port in one.ports}
        service = self._things[Service].get(API_SERVER)
        if isinstance(service, Service):
            places |= {(address, port.number) for address in service.addresses for port in service.ports}
        if places != self._api_servers:
            self._api_servers = frozenset(places)
            self._dirty |= self._of[Policy].keys()


def owners(thing: Thing) -> tuple[Name, ...]:
    """The Services a thing is about."""
    namespace = thing.meta.namespace
    if isinstance(thing, Service):
        return (thing.meta.key,)
    if isinstance(thing, Policy):
        return tuple(dict.fromkeys((namespace, target.service) for target in thing.targets))
    return ((namespace, thing.service),) if thing.service else ()


def is_urgent(old: Thing | None, new: Thing | None) -> bool:
    """Does the change take traffic away from a server, or is it an operator's wish?"""
    if isinstance(old, Override) or isinstance(new, Override):
        return True
    if isinstance(old, Slice):
        assert new is None or isinstance(new, Slice)
        now = {endpoint.address: _rank(endpoint) for endpoint in new.endpoints} if new is not None else {}
        return any(
            now[endpoint.address] > _rank(endpoint) if endpoint.address in now else bool(endpoint.terminating)
            for endpoint in old.endpoints
        )
    return isinstance(old, Service) and new is None


def _rank(endpoint: Endpoint) -> int:
    return RANK[endpoint_state(endpoint.ready, endpoint.serving, endpoint.terminating)]


def _is_stale(new: Meta, known: Meta) -> bool:
    """Is `new` an earlier state than `known`, of the same object or of one that had its name before?"""
    if new.resource_version.isdecimal() and known.resource_version.isdecimal():
        return int(new.resource_version) < int(known.resource_version)
    return False
