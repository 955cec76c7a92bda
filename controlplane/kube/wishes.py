"""What people want of servers by REST, as ServerOverrides.

`govern` says what a wish comes to before it is kept, worked out by the same translation that works it out of the object
afterwards: so the object, when it comes back by the watch, changes nothing more. `put` writes it: one object per server, by
server-side apply, owned by the pod, so that it goes when the pod goes. Whoever else wants something of the same server
writes an object of their own; of several wishes the most restrictive one counts, and a wish that cannot come true because of
another object is refused with that object's name.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.operations import Target
from controlplane.domain.refusals import Conflict, Managed, StoreUnavailable
from controlplane.domain.sequencer import Decision
from controlplane.kube.backend import Wish
from controlplane.kube.client import Api, ApiError, Json, KubeError
from controlplane.kube.objects import Meta, Name, Override
from controlplane.kube.outcome import ServerView
from controlplane.kube.resources import SERVER_OVERRIDES
from controlplane.kube.translate import part
from controlplane.kube.world import World

log = logging.getLogger('sluice.wishes')

MANAGER: Final = 'sluice-rest'
OURS: Final = {'app.kubernetes.io/managed-by': 'sluice-rest'}
FIELDS: Final = ('adminState', 'weight', 'maxConn', 'sessionGeneration')
_WORDS: Final = {'ready': 'Ready', 'drain': 'Drain', 'maint': 'Maint'}
_AT_ONCE: Final = 16
_BY: Final = 'setBy'


@dataclass(frozen=True, slots=True)
class Wished:
    """What our object for one server says, or is to say."""

    admin: str = 'ready'
    weight: int | None = None
    max_conn: int | None = None
    generation: int = 0
    by: str = ''

    @property
    def is_nothing(self) -> bool:
        """Whether there is no need for an object."""
        return (self.admin, self.weight, self.max_conn, self.generation) == ('ready', None, None, 0)

    def with_(self, wish: Mapping[str, Any]) -> Wished:
        """With the fields of a wish."""
        return Wished(
            wish.get('adminState', self.admin),
            wish.get('weight', self.weight),
            wish.get('maxConn', self.max_conn),
            max(self.generation, wish.get('sessionGeneration', 0)),
            wish.get(_BY, self.by),
        )

    @classmethod
    def of(cls, override: Override | None) -> Wished:
        """What an object says."""
        if override is None:
            return cls()
        return cls(override.admin, override.weight, override.max_conn, override.generation, override.set_by)


def object_name(view: ServerView) -> str:
    """The name of our object for a server: readable, and never one that another pod, address or port had."""
    place = view.pod_uid or f'{view.address}-{view.number}'
    mark = hashlib.sha256(f'{view.service[1]}/{view.port}/{place}'.encode()).hexdigest()[:10]
    words = re.sub(r'[^a-z0-9]+', '-', f'{view.pod or place}-{view.port}'.lower()).strip('-')
    return f'{words[:200]}-{mark}'


class Wishes:
    """`views` gives where servers come from, by (backend, server). `seen` is told of every object written or removed."""

    def __init__(
        self,
        api: Api,
        world: World,
        views: Callable[[], Mapping[tuple[str, str], ServerView]],
        seen: Callable[[Override, bool], None],
    ) -> None:
        self._api, self._world, self._views, self._seen = api, world, views, seen

    # what it comes to

    def govern(self, desired: Desired, decision: Decision, who: str) -> Decision:
        """What a verb's decision comes to here. Managed: it is about what there is. Conflict: another object forbids it."""
        if not decision.writes or decision.derived:
            return decision
        asked = {target.key: target.values for target in decision.targets}
        wishes = {write.key: {**_wish(desired, write, asked.get(write.key)), _BY: who} for write in decision.writes}
        there = self._views()
        views = {key: _view(there, key) for key in wishes}
        specs = {key: _risen(desired, key, spec) for key, spec in self._supposed(wishes, views).items()}
        targets = []
        for key, wish in wishes.items():
            if key not in specs:
                raise Conflict(f'{key}: Kubernetes has no such endpoint any more.')
            self._allow(key, wish, specs[key], views[key])
            targets.append(Target(key, {name: specs[key][name] for name in wish if name != _BY}))
        writes = tuple(Write(key, spec) for key, spec in specs.items() if desired.spec(key) is not None)
        return Decision(writes, tuple(targets), wishes=wishes)

    def _supposed(self, wishes: Mapping[Key, Mapping[str, Any]], views: Mapping[Key, ServerView]) -> dict[Key, Any]:
        """The specs of all servers of the backends concerned, as if the wishes were objects already."""
        overrides: dict[Name, dict[Name, Override]] = {}
        backends = {key.backend for key in wishes}
        for key, wish in wishes.items():
            view = views[key]
            if view.service not in overrides:
                overrides[view.service] = {one.meta.key: one for one in self._world.overrides(view.service)}
            of = overrides[view.service]
            name = (view.service[0], object_name(view))
            of[name] = _as_override(view, name, Wished.of(of.get(name)).with_(wish))
        found: dict[Key, Any] = {}
        for service, of in overrides.items():
            for backend, made in part(self._world, service, list(of.values())).backends.items():
                if backend in backends:
                    found |= {Key('server', name, backend): spec for name, (spec, _) in made.servers.items()}
        return found

    def _allow(self, key: Key, wish: Mapping[str, Any], spec: Mapping[str, Any], view: ServerView) -> None:
        """Conflict: what is wished does not come true because of somebody else's object, and which."""
        mine = (view.service[0], object_name(view))
        found = (self._world.override(name) for name in view.overrides if name != mine)
        others = [one for one in found if one is not None]
        theirs = Wish.of(others)
        stricter = 'adminState' in wish and wish['adminState'] == 'ready' and theirs.admin != 'ready'
        lower = any(name in wish and spec[name] != wish[name] for name in ('weight', 'maxConn'))
        if stricter or lower:
            named = ', '.join('/'.join(one.meta.key) for one in others)
            raise Conflict(f'{key}: ServerOverride {named} wants otherwise; change or delete that one.')

    # keeping it

    async def put(self, wishes: Mapping[Key, Mapping[str, Any]]) -> None:
        """Write all of them, some at a time. StoreUnavailable: which one could not be, and how many were."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(key: Key, wish: Mapping[str, Any]) -> None:
            async with gate:
                await self._put(key, wish)

        results = await asyncio.gather(*(one(*item) for item in wishes.items()), return_exceptions=True)
        failed = [error for error in results if isinstance(error, BaseException)]
        for error in failed:
            if not isinstance(error, KubeError | Conflict):
                raise error
        if failed:
            done = f'; {len(wishes) - len(failed)} of {len(wishes)} were kept' if len(wishes) > 1 else ''
            raise StoreUnavailable(f'ServerOverride: {failed[0]}{done}') from failed[0]

    async def _put(self, key: Key, wish: Mapping[str, Any]) -> None:
        view = _view(self._views(), key)
        name = (view.service[0], object_name(view))
        before = self._world.override(name)
        wished = Wished.of(before).with_(wish)
        if wished.is_nothing:
            await self._remove(name, before)
            return
        try:
            made = await self._api.apply(
                SERVER_OVERRIDES, name[0], name[1], body(view, wished), field_manager=MANAGER, force=True
            )
        except ApiError:
            raise
        except KubeError:
            made = await self._looked_up(name, wished)  # it may have been done
        self._seen(Override.from_dict(made), True)  # noqa: FBT003 - there it is

    async def _looked_up(self, name: Name, wished: Wished) -> Json:
        """The object, if it says what was to be written. KubeError: it does not, or nobody can tell."""
        found = await self._api.get(SERVER_OVERRIDES, *name)
        if replace(Wished.of(Override.from_dict(found)), by='') != replace(wished, by=''):
            raise ApiError(503, '', f'{"/".join(name)} was not written')
        return found

    async def discard(self, override: Override) -> None:
        """Delete an override whose server is gone. Failing is said in the log, and harmless."""
        try:
            await self._remove(override.meta.key, override)
            log.info('ServerOverride %s: its server is gone, so it was deleted', '/'.join(override.meta.key))
        except KubeError as error:
            log.warning('ServerOverride %s cannot be deleted: %s', '/'.join(override.meta.key), error)

    async def _remove(self, name: Name, before: Override | None) -> None:
        if before is None:
            return
        try:
            await self._api.delete(SERVER_OVERRIDES, *name, uid=before.meta.uid)
        except ApiError as error:
            if error.status != 404:
                raise
        self._seen(before, False)  # noqa: FBT003 - it is gone


def _view(views: Mapping[tuple[str, str], ServerView], key: Key) -> ServerView:
    view = views.get((key.backend, key.name))
    if view is None:
        raise Conflict(f'{key}: Kubernetes has no such endpoint any more.')
    return view


def _wish(desired: Desired, write: Write, asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields that are `asked` for. Managed: the write changes others than may be, or makes or removes something.

    A wish that the endpoint's own state makes true already is one all the same: it outlasts that state.
    """
    key, before = write.key, desired.spec(write.key)
    if key.kind == 'route':
        raise Managed(f'{key}: routes follow from the hosts of BackendPolicies.')
    if key.kind == 'backend':
        raise Managed(f'{key}: backends follow from Services and their BackendPolicies.')
    if before is None or write.spec is None or write.labels is not None:
        raise Managed(f'{key}: servers follow from the endpoints of Services; PATCH what an operator turns.')
    spec = write.spec
    changed = {name for name in spec if spec[name] != before[name]}
    if changed - {*FIELDS}:
        raise Managed(
            f'{key}: {", ".join(sorted(changed - {*FIELDS}))} cannot be set here; it follows from the endpoint.'
        )
    return {name: spec[name] for name in FIELDS if name in changed or name in (asked or ())}


def _risen(desired: Desired, key: Key, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A generation never falls, whatever became of the object that said it."""
    known = (desired.spec(key) or spec)['sessionGeneration']
    return spec if known <= spec['sessionGeneration'] else {**spec, 'sessionGeneration': known}


def _as_override(view: ServerView, name: Name, wished: Wished) -> Override:
    is_pod = bool(view.pod_uid)
    return Override(
        Meta(*name, uid='supposed'), view.service[1], view.port, view.pod if is_pod else '', view.pod_uid,
        '' if is_pod else view.address, 0 if is_pod else view.number, wished.admin, wished.weight, wished.max_conn,
        wished.generation,
    )  # fmt: skip


def body(view: ServerView, wished: Wished) -> Json:
    """The object as it is applied: all that we want, and nothing else."""
    spec: Json = {
        'serviceRef': {'name': view.service[1], 'port': view.port},
        'adminState': _WORDS[wished.admin],
        'setBy': wished.by,
    }
    optional = {'weight': wished.weight, 'maxConn': wished.max_conn, 'sessionGeneration': wished.generation or None}
    spec |= {name: value for name, value in optional.items() if value is not None}
    metadata: Json = {'labels': dict(OURS)}
    if view.pod_uid:
        spec['targetRef'] = {'kind': 'Pod', 'name': view.pod, 'uid': view.pod_uid}
        # with blockOwnerDeletion, some clusters demand rights on pods/finalizers
        owner = {'apiVersion': 'v1', 'kind': 'Pod', 'name': view.pod, 'uid': view.pod_uid, 'blockOwnerDeletion': False}
        metadata['ownerReferences'] = [owner]
    else:
        spec['address'] = {'ip': view.address, 'port': view.number}
    return {'metadata': metadata, 'spec': spec}
