"""One control plane of several inside Kubernetes: informers and election for as long as the process lives; sequencer, hub and
store for as long as it leads.

    syncing ──> following ──> leading ──> following ...

What must hold: nothing is streamed before every kind was listed and the first flush of the reign is in force; when the lease
is lost, leading ends before anything else is done, and the next reign starts from nothing but what is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fastapi import FastAPI

from controlplane.api.services import Services
from controlplane.domain.planes import Plane
from controlplane.domain.refusals import Refusal, StoreUnavailable
from controlplane.domain.sequencer import Clock, Sequencer
from controlplane.domain.store import Loaded, StoredObject
from controlplane.domain.version import Version
from controlplane.kube import figures
from controlplane.kube.beginning import grown, rows, stored
from controlplane.kube.bootstrap import DEBOUNCE_S, Kept, Snapshot
from controlplane.kube.client import Api, KubeError
from controlplane.kube.election import Election, LeaseObject
from controlplane.kube.lease import MAX_TERM, Elector, Times
from controlplane.kube.metrics import lines
from controlplane.kube.outcome import Translation
from controlplane.kube.pods import Pods
from controlplane.kube.records import Records
from controlplane.kube.source import GONE_MS, Informers, Source, monotonic_ms
from controlplane.kube.status import Pacing, Statuses
from controlplane.kube.wishes import Wishes
from controlplane.push import Hub, PushSettings
from controlplane.stores.kubernetes import KubernetesStore

log = logging.getLogger('sluice.cluster')

_AGAIN_S: Final = 1.0
_LEAVING_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """`name` is the Lease's and the records' name, and with `-snapshot` the snapshot's, all in `namespace`, our own.

    `watch`: namespaces whose Services are served (empty: all). `address`: HOST:PORT at which other replicas and data planes
    reach this one. `leader_ca`, `leader_name`: how the leader's certificate is checked, where there is TLS.
    """

    namespace: str
    name: str = 'sluice-controlplane'
    watch: tuple[str, ...] = ()
    pod: str = ''
    address: str = ''
    kubeconfig: str | None = None
    audience: str = 'sluice'
    accounts: tuple[str, ...] = ()
    leader_ca: str | None = None
    leader_name: str = ''
    times: Times = field(default_factory=Times)
    gone_ms: int = GONE_MS
    snapshot_s: float = DEBOUNCE_S
    pacing: Pacing = field(default_factory=Pacing)


class _Trace:
    """What remembers that somebody has led: the records, and, should only they be gone, the snapshot."""

    def __init__(self, records: Records, snapshot: Snapshot) -> None:
        self._records, self._snapshot = records, snapshot

    async def begin(self) -> int | None:
        """The highest term of both; None: nobody has ever led."""
        term, kept = await self._records.begin(), await self._snapshot.load()
        if kept is None:
            return term
        return max(term or 0, kept.version.term)


class _Standing:
    """The election as a store sees it: from the moment it is won, it is renewed beside everything else."""

    def __init__(self, election: Election) -> None:
        self._election = election
        self.kept: asyncio.Task[str] | None = None

    async def gain(self) -> int:
        """Wait until this one leads."""
        term = await self._election.gain()
        self.kept = asyncio.ensure_future(self._election.keep())
        return term

    def holds(self) -> bool:
        """Whether this one leads now."""
        return self._election.holds()

    async def successor(self) -> str:
        """Why it does not."""
        return await self._election.successor()

    async def raise_to(self, at_least: int) -> int:
        """Begin a higher term."""
        return await self._election.raise_to(at_least)

    async def release(self) -> None:
        """Lead no more, and let others."""
        if self.kept is not None:
            self.kept.cancel()
        await self._election.release()


class Replica:
    """One replica. `run` for as long as it lives; `attach` the application whose services follow its standing."""

    def __init__(self, api: Api, settings: ClusterSettings, push: PushSettings, removal_percent: int) -> None:
        self._api, self._settings, self._percent = api, settings, removal_percent
        self._push = replace(push, max_term=MAX_TERM - 2**20)
        self.identity = f'{settings.pod or "controlplane"}_{secrets.token_hex(6)}'
        self.records = Records(api, settings.namespace, settings.name)
        self.snapshot = Snapshot(api, settings.namespace, f'{settings.name}-snapshot')
        lease = LeaseObject(api, settings.namespace, settings.name, settings.address, settings.times.lease_ms)
        self.election = Election(Elector(self.identity, settings.times), lease, _Trace(self.records, self.snapshot))
        self.source = Source(
            Informers.of(api, settings.watch), removal_percent=removal_percent, gone_ms=settings.gone_ms
        )
        self.election.looked = self._moved
        self.wishes = Wishes(api, self.source.world, lambda: self.source.translation().views, self.source.seen)
        elsewhere = {account.partition(':')[0] for account in settings.accounts} - {settings.namespace}
        self.pods = Pods(api, settings.namespace, sorted(elsewhere))
        self.reign: Reign | None = None
        self.stopping = asyncio.Event()
        self._idle = asyncio.Event()  # nothing of a reign is left to be let go of
        self._idle.set()
        self._apps: list[FastAPI] = []
        self._told, self._reigns = figures.Told(), 0
        self._listeners: list[Callable[[], None]] = []
        self._read: tuple[Translation, Services] | None = None
        self._clock = Clock(wall=lambda: time.time_ns() // 1_000_000, monotonic=monotonic_ms)

    # how it stands

    @property
    def leads(self) -> bool:
        """Whether requests are answered by the sequencer here."""
        return self.reign is not None

    @property
    def leader(self) -> str:
        """HOST:PORT of the leader; '': nobody is known to lead, or it is this one."""
        record = self.election.leader()
        return '' if record is None or record.holder in {'', self.identity} else record.address

    def standing(self) -> tuple[int, Mapping[str, Any]] | None:
        """What `/readyz` says of one that does not lead."""
        if self.leads:
            return None
        if not self.source.informers.synced:
            return 503, {'status': 'syncing', 'troubles': self.source.informers.troubles()}
        return 200, {'status': 'following', 'leader': self.leader}

    def attach(self, *apps: FastAPI) -> None:
        """Let these applications' services follow."""
        self._apps += apps
        self._hand_over(self.nothing(), None)

    def nothing(self) -> Services:
        """Services of one that knows nothing and does not lead."""
        return self._following(Loaded(0))

    def head(self) -> object:
        """Something that differs whenever the desired state does."""
        return None if self.reign is None else self.reign.sequencer.log.head

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever how it stands may be another, for as long as it lives."""
        self._listeners.append(listener)

    def _moved(self) -> None:
        for listener in self._listeners:
            listener()

    def _hand_over(self, services: Services, hub: Hub | None) -> None:
        for app in self._apps:
            app.state.services, app.state.hub = services, hub
        self._moved()

    def reading(self) -> Services | None:
        """What a follower answers from when nobody leads: the objects as they are here. None: they are not known yet."""
        if not self.source.informers.synced:
            return None
        translation = self.source.translation()
        if self._read is None or self._read[0] is not translation:
            loaded = Loaded(0, tuple(stored(translation, Version(0, 1))))
            self._read = translation, self._following(loaded)
        return self._read[1]

    def _following(self, loaded: Loaded) -> Services:
        sequencer = self._sequencer(self._store(_Standing(self.election)), loaded)
        return self._services(sequencer, _nothing_pushed, self.stopping)

    def _sequencer(self, store: KubernetesStore, loaded: Loaded) -> Sequencer:
        promise = asyncio.get_running_loop().create_future
        return Sequencer(
            store, loaded, asyncio.Lock(), promise, self._clock, removal_percent=self._percent, together=1
        )  # fmt: skip

    def _services(
        self, sequencer: Sequencer, pushed: Callable[[], Mapping[str, int]], stopping: asyncio.Event
    ) -> Services:
        return Services(
            sequencer=sequencer, new_id=lambda: secrets.token_hex(8), pushed=pushed, govern=self.wishes.govern,
            holds=self.election.holds, standing=self.standing, stopping=stopping,
            further=self._figures,
        )  # fmt: skip

    def _figures(self) -> Iterator[str]:
        yield from lines(one.figures() for one in (*self.source.informers.all, self.pods.informer))
        head = None if self.reign is None else self.reign.sequencer.log.head
        record, counted = self.election.leader(), (self._told, self._reigns)
        yield from figures.standing(figures.seen(head, record, self.snapshot, self.source, *counted))

    def _store(self, standing: _Standing) -> KubernetesStore:
        return KubernetesStore(standing, self.records, self.wishes, self._begin)

    async def _begin(self, term: int) -> tuple[StoredObject, ...]:
        """Where a term begins: at what was pushed last, with all that is added or changed since. What would be removed is left
        for the first flush, where it is judged as any removal is.
        """
        try:
            kept = await self.snapshot.load()
        except KubeError as error:
            raise StoreUnavailable(f'the snapshot cannot be read: {error}') from error
        translation = self.source.translation()
        if kept is None:
            return tuple(stored(translation, Version(term, 1)))
        return tuple(rows(grown(kept, translation), Version(term, 1), translation))

    # its life

    async def run(self) -> None:
        """Follow, stand for leader, lead, and again; until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (*self.source.informers.all, self.pods.informer):
                group.create_task(informer.run())
            group.create_task(self._stand())

    async def _stand(self) -> None:
        await self.source.wait_synced()
        log.info('every kind is known; standing for leader as %s', self.identity)
        while not self.stopping.is_set():
            standing = _Standing(self.election)
            store = self._store(standing)
            try:
                loaded = await store.open()
                self._idle.clear()
                await self._lead(standing, store, loaded)
            except StoreUnavailable as error:
                log.error('this reign has ended: %s', error)
            finally:
                await asyncio.shield(store.close())
                self._idle.set()
            await asyncio.sleep(_AGAIN_S)

    async def _lead(self, standing: _Standing, store: KubernetesStore, loaded: Loaded) -> None:
        assert standing.kept is not None
        sequencer = self._sequencer(store, loaded)
        begun = asyncio.ensure_future(self.source.begin(sequencer))
        await asyncio.wait([begun, standing.kept], return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            begun.cancel()
            return
        begun.result()
        hub = Hub(sequencer, self._push)
        services = self._services(sequencer, hub.figures, asyncio.Event())
        self.reign = Reign(sequencer, hub, services)
        self._reigns += 1
        self._hand_over(services, hub)
        log.info('leading: term %d, %d backends', loaded.term, len(sequencer.desired.state['backends']))
        works = [asyncio.ensure_future(work) for work in self._works(self.reign)]
        try:
            await asyncio.wait([standing.kept, *works], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.shield(self._abdicate(self.reign, works))
        for work in works:
            if (
                not work.cancelled()
                and (error := work.exception()) is not None
                and not isinstance(error, StoreUnavailable)
            ):
                raise error

    async def _abdicate(self, reign: Reign, works: Sequence[asyncio.Future[None]]) -> None:
        """Lead no more: first nobody is answered as by a leader, then the links end."""
        self.election.resign()
        self.reign = None
        self._hand_over(self.nothing(), None)
        reign.services.stopping.set()
        for work in works:
            work.cancel()
        await asyncio.wait(works)
        await reign.hub.close()

    def _works(self, reign: Reign) -> list[Coroutine[Any, Any, None]]:
        """What is done while leading, beside answering."""
        changed = asyncio.Event()
        changed.set()

        def heard(*, urgent: bool) -> None:
            changed.set()

        reign.sequencer.subscribe(heard)

        def latest() -> Kept:
            desired = reign.sequencer.desired
            return Kept(reign.sequencer.log.head, desired.state, desired.divided)

        return [
            self.source.lead(reign.sequencer, self.wishes.discard),
            self._until_stopped(),
            reign.hub.expire(),
            self.snapshot.keep_up(latest, changed, self._settings.snapshot_s),
            self._count_out(reign.sequencer),
            Statuses(self._api, self.source, self._settings.pacing, self._told).keep_up(reign.sequencer),
        ]

    async def _until_stopped(self) -> None:
        await self.stopping.wait()

    async def _count_out(self, sequencer: Sequencer) -> None:
        """Stop counting data planes whose pods are gone."""
        moved = asyncio.Event()
        self.pods.moved = moved.set
        while True:
            moved.clear()
            away = [plane for plane in sequencer.convergence.planes.values() if not plane.connected]
            try:
                await self.pods.look({plane.pod_uid: plane.id for plane in away})
            except KubeError as error:
                log.warning('data planes whose pods are gone count until it can be asked for them: %s', error)
            for plane in away:
                if self.pods.gone(plane.pod_uid) and not plane.connected:
                    await self._forget(sequencer, plane)
            with contextlib.suppress(TimeoutError):  # a link may outlast its pod's end by a moment: look again
                async with asyncio.timeout(5.0):
                    await moved.wait()

    @staticmethod
    async def _forget(sequencer: Sequencer, plane: Plane) -> None:
        try:
            await asyncio.shield(sequencer.dismiss(plane.id))
            log.info('data plane %s no longer counts: its pod is gone', plane.id)
        except Refusal as error:
            log.error('data plane %s still counts: %s', plane.id, error)

    async def leave(self) -> None:
        """The process is to end: streams and links end, and others may lead at once."""
        self.stopping.set()
        if self.reign is not None:
            self.reign.services.stopping.set()
            await self.reign.hub.close()
        with contextlib.suppress(TimeoutError):  # the lease then runs out by itself
            async with asyncio.timeout(_LEAVING_S):
                await self._idle.wait()  # whoever ends the process does so right after this


@dataclass(frozen=True, slots=True)
class Reign:
    """What there is only while leading."""

    sequencer: Sequencer
    hub: Hub
    services: Services


def _nothing_pushed() -> Mapping[str, int]:
    return {'batches': 0, 'parcels': 0, 'frames': 0, 'encodings': 0, 'acks': 0, 'acked_ms': 0}
