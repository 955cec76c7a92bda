"""What is told to people in Kubernetes: the status of policies and overrides, and Warnings on Services. Only the leader tells.

A status is written when it says something new: progress within a second, mere figures (in flight, queued) every ten, and what they
are when those ten are over, whether or not anything happens then. The first time in a reign the object is read, since what it
said before is kept where nothing has changed. What cannot be written is logged once for each object, left alone for as long and
then tried again; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
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
from controlplane.kube.clock import Clock, LoopClock
from controlplane.kube.conditions import Load, Progress, override_status, policy_status
from controlplane.kube.figures import Told
from controlplane.kube.objects import Name
from controlplane.kube.outcome import Note, NoteKey, ServerKey, Translation
from controlplane.kube.resources import BACKEND_POLICIES, EVENTS, SERVER_OVERRIDES, Resource
from controlplane.kube.source import Source

log = logging.getLogger('sluice.status')

PACE_S: Final = 1.0
FIGURES_S: Final = 10.0
PER_ROUND: Final = 100
MANAGER: Final = 'sluice-status'
_REMEMBERED: Final = 10_000
_FIGURES: Final = ('inFlight', 'queued')
_VALUES: Final = {'addr': 'address', 'maxconn': 'limit'}
_AT_A_TIME: Final = 50  # objects, looked at without a turn for others: some 3 ms

Made = Callable[[Mapping[str, Any], str], dict[str, Any]]
Locally = Mapping[str, list[tuple[str, str, str, Mapping[str, str]]]]
"""By backend: (data plane, backend, server, settings) of what was set on data planes' own sockets."""
Of = tuple[str, Name, str]
"""An object: the kind's plural, its name, its uid. Another object of that name has been told nothing."""
Kept = Of | NoteKey
"""What is written: the status of an object, or a note's Warning."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds: between rounds, and between writes of which only figures are new."""

    pace_s: float = PACE_S
    figures_s: float = FIGURES_S


class Statuses:
    """The statuses of one reign."""

    def __init__(
        self, api: Api, source: Source, pacing: Pacing | None = None, told: Told | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._api, self._source, self._pacing = api, source, pacing or Pacing()
        self.told, self._clock = told or Told(), clock or LoopClock()
        self._due: dict[Kept, float] = {}  # when what could not be written by now can be
        self._failing: dict[Kept, str] = {}  # why the last attempt did not succeed
        self._known: dict[Of, dict[str, Any]] = {}
        self._figures_at: dict[Of, float] = {}
        self._told: set[NoteKey] = set()

    async def keep_up(self, sequencer: Sequencer) -> None:
        """Tell what is new until cancelled."""
        moved = asyncio.Event()
        moved.set()
        stops = [self._source.listen(moved.set), sequencer.convergence.listen(moved.set)]
        try:
            while True:
                await self._until(moved)
                moved.clear()
                if await self._round(sequencer):
                    moved.set()
                await self._clock.sleep(self._pacing.pace_s)
        finally:
            for stop in stops:
                stop()

    async def _until(self, moved: asyncio.Event) -> None:
        """Until something has moved, or what was put off is due."""
        if not self._due:
            await moved.wait()
            return
        try:
            async with self._clock.timeout(max(0.0, min(self._due.values()) - self._clock.now())):
                await moved.wait()
        except TimeoutError:
            return

    async def _round(self, sequencer: Sequencer) -> bool:
        """Write what is new, some at a time. True: there is more."""
        translation, local = self._source.translation(), _local(sequencer.convergence)
        written = 0
        for number, (resource, name, uid, made) in enumerate(self._all(translation, sequencer, local)):
            if written >= PER_ROUND:
                return True
            written += await self._write(resource, name, uid, made)
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
        notes = {
            note.key: note for note in (*translation.notes, *self._held(translation), *_set_locally(translation, local))
        }
        self._forget(translation, notes)
        return await self._tell(notes, PER_ROUND - written)

    def _all(
        self, translation: Translation, sequencer: Sequencer, locally: Locally
    ) -> Iterable[tuple[Resource, Name, str, Made]]:
        desired, convergence = sequencer.desired, sequencer.convergence
        for name, policy in translation.policies.items():
            keys = [key for backend in policy.backends for key in _keys(desired, backend)]
            progress = _progress(desired, convergence, keys, policy.backends)
            load = _load(convergence, keys, policy.backends)
            here = sorted(
                (one for backend in policy.backends for one in locally.get(backend, ())), key=lambda one: one[:3]
            )
            local = [f'{plane}: {server} {_words(settings)}' for plane, _, server, settings in here]

            def of_policy(
                before: Mapping[str, Any], now: str, view: Any = policy, p: Any = progress, x: Any = load,
                found: Any = local,
            ) -> Json:  # fmt: skip
                return policy_status(view, p, x, before, now, local=found)

            yield BACKEND_POLICIES, name, policy.uid, of_policy
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

            yield SERVER_OVERRIDES, name, override.uid, of_override

    async def _write(self, resource: Resource, name: Name, uid: str, made: Made) -> int:
        """Write one status if it says something new; returns how many questions that took."""
        key, now = (resource.plural, name, uid), datetime.now(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')
        if self._is_left_alone(key):
            return 0
        asked = 0
        try:
            if key not in self._known:
                asked += 1
                found = await self._api.get(resource, *name)
                self._known[key] = found.get('status') or {}
            before = self._known[key]
            status = made(before, now)
            self._due.pop(key, None)
            if status == before:
                self._failing.pop(key, None)
                return asked
            if self._are_figures(before, status) and (at := self._figures_at.get(key)) is not None:
                due = at + self._pacing.figures_s
                if self._clock.now() < due:
                    self._due[key] = due
                    return asked
            asked += 1
            await self._api.patch_status(resource, *name, status, field_manager=MANAGER)
        except ApiError as error:
            if error.status == 404:  # it was removed just now
                self._settled(key)
            else:
                self._complain(key, resource, f'status of {resource.kind} {"/".join(name)}', error)
            return asked
        except KubeError as error:
            self._complain(key, resource, f'status of {resource.kind} {"/".join(name)}', error)
            return asked
        self._known[key], self._figures_at[key] = status, self._clock.now()
        self._settled(key)
        self.told.written[resource.plural] += 1
        return asked

    @staticmethod
    def _are_figures(before: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
        """Whether nothing but figures differs."""
        return all(before.get(field) == value for field, value in status.items() if field not in _FIGURES)

    def _is_left_alone(self, key: Kept) -> bool:
        """Whether it could not be written a moment ago: others are not to wait for what will probably fail again."""
        return key in self._failing and self._clock.now() < self._due.get(key, 0.0)

    def _settled(self, key: Kept) -> None:
        """Nothing of it is put off or failing."""
        self._due.pop(key, None)
        self._failing.pop(key, None)

    def _complain(self, key: Kept, resource: Resource, what: str, error: KubeError) -> None:
        self._due[key] = self._clock.now() + self._pacing.figures_s
        self.told.failed[resource.plural] += 1
        if self._failing.get(key) != str(error):
            log.warning('%s: %s', what, error)
        self._failing[key] = str(error)

    def _forget(self, translation: Translation, notes: Container[NoteKey]) -> None:
        there = {(BACKEND_POLICIES.plural, name, one.uid) for name, one in translation.policies.items()}
        there |= {(SERVER_OVERRIDES.plural, name, one.uid) for name, one in translation.overrides.items()}
        for key in self._known.keys() - there:
            del self._known[key]
            self._figures_at.pop(key, None)
        for of in (self._due, self._failing):
            for one in [one for one in of if one not in there and one not in notes]:
                del of[one]
        self._told = {note for note in self._told if note in notes}

    # warnings

    async def _tell(self, notes: Mapping[NoteKey, Note], most: int) -> bool:
        """A Warning for each note that was not there before, as long as it is there. True: there is more to tell."""
        asked = 0
        for key, note in notes.items():
            if key in self._told or len(self._told) >= _REMEMBERED or self._is_left_alone(key):
                continue
            if asked >= most:
                return True
            asked += 1
            service = self._source.world.service(note.service)
            event = _event(note, '' if service is None else service.meta.uid)
            try:
                await self._api.create(EVENTS, note.service[0], event, field_manager=MANAGER)
            except KubeError as error:
                self._complain(key, EVENTS, f'event on Service {"/".join(note.service)}', error)
                continue
            self._told.add(key)
            self._settled(key)
            self.told.written[EVENTS.plural] += 1
        return False

    def _held(self, translation: Translation) -> list[Note]:
        built = translation.built
        return [
            Note(
                built[backend].service if backend in built else _service_of(backend), backend, 'MassRemovalHeld',
                f'{removed} of {total} servers of {backend} would go at once; held until a new list confirms it.',
            )
            for backend, (removed, total) in self._source.held.items()
        ]  # fmt: skip


def _set_locally(translation: Translation, local: Locally) -> list[Note]:
    return [
        Note(
            translation.built[backend].service, f'{plane} {server} {_words(settings)}', 'LocalOverride',
            f'On the socket of data plane {plane}, {server} of {backend} was set to: {_words(settings)}. {_rule(settings)}',
        )
        for backend in sorted(translation.built.keys() & local.keys())
        for plane, _, server, settings in local[backend]
    ]  # fmt: skip


def _rule(settings: Iterable[str]) -> str:
    """What a setting on a socket does beside what is wanted here, and when it ends (docs: the protocol)."""
    values = [_VALUES.get(setting, setting) for setting in sorted(settings) if setting != 'state']
    said = []
    if 'state' in settings:
        said.append(
            'The stricter of that state and the one wanted here is in force, until it is set to ready on that socket.'
        )
    if values:
        named, it_is = ' and '.join(values), 'are' if len(values) > 1 else 'is'
        said.append(
            f'Its {named} {it_is} in force there in place of what is wanted here, each until it is set back on that socket or '
            'another value of it is wanted here.'
        )
    return ' '.join([*said, 'It all ends with the data plane and with the server.'])


def _service_of(backend: str) -> Name:
    namespace, _, rest = backend.partition('.')
    return namespace, rest.partition('.')[0]


def _event(note: Note, uid: str) -> Json:
    """`uid` of the Service, by which `kubectl describe` asks for its events; '' when there is none."""
    now = datetime.now(UTC)
    when = now.isoformat(timespec='seconds').replace('+00:00', 'Z')
    mark = hashlib.sha256(f'{note.about}/{note.reason}/{now.timestamp()}'.encode()).hexdigest()[:16]
    return {
        'metadata': {'name': f'{note.service[1][:200]}.{mark}', 'namespace': note.service[0]},
        'involvedObject': {
            'apiVersion': 'v1', 'kind': 'Service', 'namespace': note.service[0], 'name': note.service[1],
            **({'uid': uid} if uid else {}),
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
        elif plane.acked < version or named & plane.kept.keys():
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


def _local(convergence: Convergence) -> Locally:
    """All of it, collected once a round."""
    found: dict[str, list[tuple[str, str, str, Mapping[str, str]]]] = {}
    for name, plane in sorted(convergence.planes.items()):
        for key, settings in sorted(plane.local.items()):
            found.setdefault(key.backend, []).append((name, key.backend, key.name, settings))
    return found


def _words(settings: Mapping[str, str]) -> str:
    return ', '.join(f'{setting} {value}' for setting, value in sorted(settings.items()))


def _drained(desired: Desired, convergence: Convergence, keys: Iterable[Key]) -> bool:
    """Whether every known data plane has stated it of each of these, and of what is in force."""
    planes, keys = convergence.planes.values(), set(keys)
    if not planes or not keys:
        return False
    version = max(desired.versions.get(key, NOTHING) for key in keys)
    return version > NOTHING and all(plane.acked >= version and plane.statements >= keys for plane in planes)


def _effective(translation: Translation, servers: Iterable[ServerKey]) -> str:
    return next((translation.views[key].effective for key in servers if key in translation.views), 'ready')
