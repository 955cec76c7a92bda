"""What is told to people in Kubernetes: the status of policies and overrides, and Warnings on Services. Only the leader tells.

A status is written when it says something new: progress within a second, mere figures (in flight, queued) every ten. The first
time in a reign the object is read, since what it said before is kept where nothing has changed. Not being able to write is
logged once and tried again; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.domain.convergence import Convergence
from controlplane.domain.desired import Desired, Key
from controlplane.domain.quarantine import active
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import NOTHING
from controlplane.kube.client import Api, ApiError, Json, KubeError
from controlplane.kube.conditions import Load, Progress, override_status, policy_status
from controlplane.kube.figures import Told
from controlplane.kube.objects import Name
from controlplane.kube.outcome import Note, ServerKey, Translation
from controlplane.kube.resources import BACKEND_POLICIES, EVENTS, SERVER_OVERRIDES, Resource
from controlplane.kube.source import Source

log = logging.getLogger('sluice.status')

PACE_S: Final = 1.0
FIGURES_S: Final = 10.0
PER_ROUND: Final = 100
MANAGER: Final = 'sluice-status'
_REMEMBERED: Final = 10_000
_FIGURES: Final = ('inFlight', 'queued')

Made = Callable[[Mapping[str, Any], str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds: between rounds, and between writes of which only figures are new."""

    pace_s: float = PACE_S
    figures_s: float = FIGURES_S


class Statuses:
    """The statuses of one reign."""

    def __init__(self, api: Api, source: Source, pacing: Pacing | None = None, told: Told | None = None) -> None:
        self._api, self._source, self._pacing = api, source, pacing or Pacing()
        self.told = told or Told()
        self._known: dict[tuple[str, Name], dict[str, Any]] = {}
        self._figures_at: dict[tuple[str, Name], float] = {}
        self._told: dict[tuple[object, ...], None] = {}
        self._said = ''

    async def keep_up(self, sequencer: Sequencer) -> None:
        """Tell what is new until cancelled."""
        moved = asyncio.Event()
        moved.set()
        stops = [self._source.listen(moved.set), sequencer.convergence.listen(moved.set)]
        try:
            while True:
                await moved.wait()
                moved.clear()
                if await self._round(sequencer):
                    moved.set()
                await asyncio.sleep(self._pacing.pace_s)
        finally:
            for stop in stops:
                stop()

    async def _round(self, sequencer: Sequencer) -> bool:
        """Write what is new, some at a time. True: there is more."""
        translation = self._source.translation()
        written = 0
        for resource, name, made in self._all(translation, sequencer):
            if written >= PER_ROUND:
                return True
            written += await self._write(resource, name, made)
        self._forget(translation)
        await self._tell(translation, sequencer.convergence)
        return False

    def _all(self, translation: Translation, sequencer: Sequencer) -> Iterable[tuple[Resource, Name, Made]]:
        desired, convergence = sequencer.desired, sequencer.convergence
        for name, policy in translation.policies.items():
            keys = [key for backend in policy.backends for key in _keys(desired, backend)]
            progress = _progress(desired, convergence, keys, policy.backends)
            load = _load(convergence, keys, policy.backends)
            local = [f'{plane}: {server} {words}' for plane, _, server, words in _local(convergence, policy.backends)]

            def of_policy(
                before: Mapping[str, Any], now: str, view: Any = policy, p: Any = progress, x: Any = load,
                found: Any = local,
            ) -> Json:  # fmt: skip
                return policy_status(view, p, x, before, now, local=found)

            yield BACKEND_POLICIES, name, of_policy
        for name, override in translation.overrides.items():
            keys = [Key('server', server, backend) for backend, server in override.servers]
            progress = _progress(desired, convergence, keys, {backend for backend, _ in override.servers})
            load, drained = _load(convergence, keys), _drained(desired, convergence, keys)
            effective = _effective(translation, override.servers)

            def of_override(
                before: Mapping[str, Any], now: str, view: Any = override, p: Any = progress, x: Any = load,
                e: str = effective, d: bool = drained,
            ) -> Json:  # fmt: skip
                return override_status(view, p, x, before, now, effective=e, drained=d)

            yield SERVER_OVERRIDES, name, of_override

    async def _write(self, resource: Resource, name: Name, made: Made) -> int:
        """Write one status if it says something new; returns how many questions that took."""
        key, now = (resource.plural, name), datetime.now(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')
        asked = 0
        try:
            if key not in self._known:
                asked += 1
                found = await self._api.get(resource, *name)
                self._known[key] = found.get('status') or {}
            before = self._known[key]
            status = made(before, now)
            if status == before or (self._are_figures(before, status) and not self._is_time(key)):
                return asked
            asked += 1
            await self._api.patch_status(resource, *name, status, field_manager=MANAGER)
        except ApiError as error:
            if error.status != 404:  # it was removed just now
                self._complain(resource, name, error)
            return asked
        except KubeError as error:
            self._complain(resource, name, error)
            return asked
        self._known[key], self._figures_at[key], self._said = status, time.monotonic(), ''
        self.told.written[resource.plural] += 1
        return asked

    @staticmethod
    def _are_figures(before: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
        """Whether nothing but figures differs."""
        return all(before.get(field) == value for field, value in status.items() if field not in _FIGURES)

    def _is_time(self, key: tuple[str, Name]) -> bool:
        return time.monotonic() - self._figures_at.get(key, 0.0) >= self._pacing.figures_s

    def _complain(self, resource: Resource, name: Name, error: KubeError) -> None:
        self.told.failed[resource.plural] += 1
        if str(error) != self._said:
            log.warning('status of %s %s: %s', resource.kind, '/'.join(name), error)
        self._said = str(error)

    def _forget(self, translation: Translation) -> None:
        there = {(BACKEND_POLICIES.plural, name) for name in translation.policies}
        there |= {(SERVER_OVERRIDES.plural, name) for name in translation.overrides}
        for key in self._known.keys() - there:
            del self._known[key]
            self._figures_at.pop(key, None)

    # warnings

    async def _tell(self, translation: Translation, convergence: Convergence) -> None:
        """A Warning for each note that was not there before, as long as it is there."""
        notes = {
            note.key: note for note in (*translation.notes, *self._held(), *_set_locally(translation, convergence))
        }
        self._told = {key: None for key in self._told if key in notes}
        for key, note in notes.items():
            if key in self._told or len(self._told) >= _REMEMBERED:
                continue
            self._told[key] = None
            try:
                await self._api.create(EVENTS, note.service[0], _event(note), field_manager=MANAGER)
                self.told.written[EVENTS.plural] += 1
            except KubeError as error:
                self.told.failed[EVENTS.plural] += 1
                log.warning('event on Service %s: %s', '/'.join(note.service), error)

    def _held(self) -> list[Note]:
        views = self._source.translation().views
        services = {backend: view.service for (backend, _), view in views.items()}
        return [
            Note(
                services.get(backend, _service_of(backend)), backend, 'MassRemovalHeld',
                f'{removed} of {total} servers of {backend} would go at once; held until a new list confirms it.',
            )
            for backend, (removed, total) in self._source.held.items()
        ]  # fmt: skip


def _set_locally(translation: Translation, convergence: Convergence) -> list[Note]:
    return [
        Note(
            translation.built[backend].service, f'{plane} {server} {words}', 'LocalOverride',
            f'On the socket of data plane {plane}, {server} of {backend} was set to: {words}. It is in force there until it is '
            'taken back on that socket.',
        )
        for plane, backend, server, words in _local(convergence, translation.built)
    ]  # fmt: skip


def _service_of(backend: str) -> Name:
    namespace, _, rest = backend.partition('.')
    return namespace, rest.partition('.')[0]


def _event(note: Note) -> Json:
    now = datetime.now(UTC)
    when = now.isoformat(timespec='seconds').replace('+00:00', 'Z')
    mark = hashlib.sha256(f'{note.about}/{note.reason}/{now.timestamp()}'.encode()).hexdigest()[:16]
    return {
        'metadata': {'name': f'{note.service[1][:200]}.{mark}', 'namespace': note.service[0]},
        'involvedObject': {
            'apiVersion': 'v1', 'kind': 'Service', 'namespace': note.service[0], 'name': note.service[1],
        },
        'type': 'Warning', 'reason': note.reason, 'message': note.message[:1_000], 'count': 1,
        'firstTimestamp': when, 'lastTimestamp': when,
        'source': {'component': 'sluice-controlplane'}, 'reportingComponent': 'sluice.dev/control-plane',
    }  # fmt: skip


def _keys(desired: Desired, backend: str) -> list[Key]:
    """A backend and its servers, as far as they are in force."""
    key = Key('backend', backend)
    return desired.within(key) if key in desired.versions else []


def _progress(desired: Desired, convergence: Convergence, keys: Iterable[Key], backends: Iterable[str]) -> Progress:
    """How far the known data planes are with the newest of these."""
    version = max((desired.versions.get(key, NOTHING) for key in keys), default=NOTHING)
    named, waiting, refused = frozenset(backends), [], []
    for plane in convergence.planes.values():
        if plane.quarantine and named & active(plane.quarantine, desired.state).keys():
            refused.append(plane.id)
        elif plane.acked < version:
            waiting.append(plane.id)
    total = len(convergence.planes)
    acked = total - len(waiting) - len(refused)
    said = '' if version == NOTHING else str(version)
    return Progress(total, acked, said, tuple(sorted(waiting)), tuple(sorted(refused)))


def _load(convergence: Convergence, keys: Iterable[Key], backends: Iterable[str] = ()) -> Load:
    """What these servers have, and what waits in these backends' own queues."""
    flight = 0
    queued = sum(plane.queues.get(name, 0) for plane in convergence.planes.values() for name in backends)
    keys = list(keys)
    for plane in convergence.planes.values():
        if plane.load:
            rows = [plane.load[key] for key in keys if key in plane.load and key not in plane.statements]
            flight += sum(row[0] for row in rows)
            queued += sum(row[1] for row in rows)
    return Load(flight, queued)


def _local(convergence: Convergence, backends: Container[str]) -> list[tuple[str, str, str, str]]:
    """(data plane, backend, server, words) of what was set on data planes' own sockets."""
    return [
        (name, key.backend, key.name, ', '.join(f'{setting} {value}' for setting, value in sorted(values.items())))
        for name, plane in sorted(convergence.planes.items())
        for key, values in sorted(plane.local.items())
        if key.backend in backends
    ]


def _drained(desired: Desired, convergence: Convergence, keys: Iterable[Key]) -> bool:
    """Whether every known data plane has stated it of each of these, and of what is in force."""
    planes, keys = convergence.planes.values(), set(keys)
    if not planes or not keys:
        return False
    version = max(desired.versions.get(key, NOTHING) for key in keys)
    return version > NOTHING and all(plane.acked >= version and plane.statements >= keys for plane in planes)


def _effective(translation: Translation, servers: Iterable[ServerKey]) -> str:
    return next((translation.views[key].effective for key in servers if key in translation.views), 'ready')
