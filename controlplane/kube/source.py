"""From the informers to the sequencer: what Kubernetes says, translated, settled, gathered and braked.

Every replica keeps its world and translation warm; only who leads passes on what follows from them (`lead`). What must hold:

1. Nothing is passed on before every kind has been listed once (`wait_synced`): an empty world is never mistaken for one.
2. What would remove too many servers of a backend waits, for that backend, until a list begun after that says so again;
   what is added or changed there passes meanwhile, for it takes nothing away.
3. Passing on is by level: whatever was missed, doubled or out of order, the difference between what is wanted and what is
   in force is what is submitted, and nothing when there is none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controlplane.domain.desired import Desired, Key
from controlplane.domain.refusals import Refusal, StoreUnavailable
from controlplane.domain.sequencer import Decision, Sequencer, Verb
from controlplane.kube.client import Api
from controlplane.kube.deadlines import Deadlines
from controlplane.kube.informer import Informer
from controlplane.kube.objects import MAX_GENERATION, Name, Override, Policy, Service, Slice
from controlplane.kube.outcome import ServerKey, Translation
from controlplane.kube.resources import BACKEND_POLICIES, ENDPOINT_SLICES, SERVER_OVERRIDES, SERVICES
from controlplane.kube.settle import Coalesce, Confirmation, Passed, Persisting
from controlplane.kube.translate import Translator
from controlplane.kube.world import Changed, Thing, World
from controlplane.kube.writes import Planner

log = logging.getLogger('sluice.source')

GONE_MS: Final = 60_000
_RELIST_S: Final = 60.0
_AGAIN_S: Final = 5.0
_IDLE_S: Final = 60.0
ACTOR: Final = 'kubernetes'


def monotonic_ms() -> int:
    """Milliseconds of a clock that never goes back."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """Milliseconds since 1970, as dates of people and session generations are."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Flushes:
    """How changes were passed on. In ms, over all: from a flush's first change until it began, and from there until it was in
    force. Of the newest one: when its first change was here, and when it began (on the clock of the source).
    """

    number: int = 0
    gathered_ms: int = 0
    took_ms: int = 0
    first: int = 0
    began: int = 0


@dataclass(frozen=True, slots=True)
class Informers:
    """One per kind that is translated."""

    services: Informer[Service]
    slices: Informer[Slice]
    policies: Informer[Policy]
    overrides: Informer[Override]

    @classmethod
    def of(cls, api: Api, namespaces: tuple[str, ...]) -> Informers:
        """`namespaces` empty: all."""
        return cls(
            Informer(api, SERVICES, namespaces, Service.from_dict),
            Informer(api, ENDPOINT_SLICES, namespaces, Slice.from_dict),
            Informer(api, BACKEND_POLICIES, namespaces, Policy.from_dict),
            Informer(api, SERVER_OVERRIDES, namespaces, Override.from_dict),
        )

    @property
    def all(self) -> tuple[Informer[Any], ...]:
        """Every one of them."""
        return self.services, self.slices, self.policies, self.overrides

    @property
    def synced(self) -> bool:
        """Whether every kind has been listed once."""
        return all(informer.synced for informer in self.all)

    def troubles(self) -> dict[str, str]:
        """Why nothing is heard of a kind, by its name."""
        return {
            informer.resource.label: '; '.join(f'{name}: {why}' if name else str(why) for name, why in found.items())
            for informer in self.all
            if (found := informer.troubles)
        }


class Source:
    """`gone_ms`: for how long the server of an override must be gone before that is deleted. `now` is monotonic, in ms,
    `wall` since 1970.
    """

    def __init__(
        self,
        informers: Informers,
        *,
        removal_percent: int,
        gone_ms: int = GONE_MS,
        now: Callable[[], int] = monotonic_ms,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self.informers, self._now, self._wall, self._gone_ms = informers, now, wall, gone_ms
        self.world = World()
        self._translator = Translator(self.world)
        self._translation = Translation()
        self._is_stale = True
        self._coalesce = Coalesce()
        self._percent = removal_percent
        self._confirmation = Confirmation(removal_percent)
        self._planner = Planner()
        self._deadlines = Deadlines()
        self._gone: Persisting[Name] = Persisting()
        self._ended: dict[ServerKey, int] = {}
        self._woken = asyncio.Event()
        self._relisting: asyncio.Task[None] | None = None
        self._discarding: asyncio.Task[None] | None = None
        self.held: Mapping[str, tuple[int, int]] = {}
        self.flushes = Flushes()
        self._listeners: dict[Callable[[], None], None] = {}
        for informer in informers.all:
            informer.listen(self._heard)

    # what there is

    def translation(self) -> Translation:
        """What the objects come to now."""
        if self._is_stale:
            self._is_stale = False
            self._translation = self._translator.translate()
        return self._translation

    def seen(self, override: Override, is_there: bool) -> None:
        """An override was written or removed by us: so it is, however late the watch says so."""
        self._note(self.world.put(override, self._now()) if is_there else self.world.remove(override, self._now()))

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every flush, until the function returned is called."""
        self._listeners[listener] = None
        return lambda: self._listeners.pop(listener, None)

    async def wait_synced(self) -> None:
        """Return when every kind has been listed once."""
        for informer in self.informers.all:
            await informer.wait_synced()

    def _heard(self, _: Name, old: Thing | None, new: Thing | None) -> None:
        now = self._now()
        if new is not None:
            self._note(self.world.put(new, now))
        elif old is not None:
            self._note(self.world.remove(old, now))

    def _note(self, changed: Changed) -> None:
        if changed is not Changed.NOTHING:
            self._is_stale = True
            self._coalesce.note(self._now(), urgent=changed is Changed.URGENT)
            self._woken.set()

    # passing it on

    async def begin(self, sequencer: Sequencer) -> None:
        """The first flush of a reign, after which the world is known. StoreUnavailable: the reign is over."""
        self._confirmation = Confirmation(self._percent)
        self._deadlines, self._gone = Deadlines(), Persisting()
        # a date that was kept by an earlier reign is not due again
        self._ended = {key: _generation(sequencer.desired, key) for key in self.translation().dated()}
        await self._flush(sequencer)

    async def lead(self, sequencer: Sequencer, discard: Callable[[Override], Awaitable[None]]) -> None:
        """Pass on every change until cancelled, or the store is no longer ours. `discard` deletes an override."""
        try:
            while sequencer.fenced is None:
                await self._wait()
                now = self._now()
                self._note(self.world.expire(now))
                due = self._coalesce.next_at()
                if (due is not None and due <= now) or self._is_time(now):
                    await self._flush(sequencer)
                self._let_go(self._persistently_gone(now), discard)
        finally:
            for task in (self._relisting, self._discarding):
                if task is not None:
                    task.cancel()
            self._relisting = self._discarding = None

    def _let_go(self, gone: Sequence[Override], discard: Callable[[Override], Awaitable[None]]) -> None:
        """Have these deleted, one after the other and beside everything else: each may take as long as some webhook does."""
        if self._discarding is not None and self._discarding.done():
            self._discarding.result()
            self._discarding = None
        if gone and self._discarding is None:
            self._discarding = asyncio.ensure_future(self._discard(gone, discard))

    async def _discard(self, gone: Sequence[Override], discard: Callable[[Override], Awaitable[None]]) -> None:
        for override in gone:
            await discard(override)
        if any(override.meta.key in self.world.all_overrides() for override in gone):
            await asyncio.sleep(_AGAIN_S)  # what could not be deleted is not asked for with every change

    async def _wait(self) -> None:
        """Until something is due."""
        self._woken.clear()
        now = self._now()
        times = (self._coalesce.next_at(), self.world.next_at(), self._gone.next_at(now))
        waits = [at - now for at in times if at is not None]
        deadline = self._deadlines.next_in(now=now, wall=self._wall())
        left = min([*waits, *([] if deadline is None else [deadline]), int(_IDLE_S * 1_000)])
        if left <= 0:
            return
        try:
            async with asyncio.timeout(left / 1_000):
                await self._woken.wait()
        except TimeoutError:
            return

    def _is_time(self, now: int) -> bool:
        """Whether a deadline has come that no object's change would tell."""
        return bool(self._deadlines.due(self._translation, self._ended, now=now, wall=self._wall()))

    async def _flush(self, sequencer: Sequencer) -> None:
        flushes, now = self.flushes, self._now()
        since = self._coalesce.since
        flushes.first, flushes.began = now if since is None else since, now
        self._coalesce.flushed(now)
        wanted, passed = Translation(), Passed((), {}, relist=False)

        def decide(desired: Desired) -> Decision:
            nonlocal wanted, passed
            # at its turn: what was translated before knows only some of the wishes that somebody had in the turn before
            wanted = self._with_ends(self.translation(), desired, self._now())
            writes = self._planner.plan(desired, wanted)
            passed = self._confirmation.judge(desired, writes)
            harmless = (w for w in writes if w.spec is not None and (w.key.backend or w.key.name) in passed.held)
            chosen = {*map(id, passed.writes), *map(id, (w for w in harmless if w.key.kind != 'route'))}
            return Decision(tuple(w for w in writes if id(w) in chosen), (), derived=True)

        try:
            await asyncio.shield(sequencer.submit(Verb('derived', 'endpoints', ACTOR, urgent=True), decide))
        except StoreUnavailable:
            if sequencer.fenced is None:
                self._coalesce.note(self._now(), urgent=False)
            raise
        except Refusal as error:
            log.error('what Kubernetes says cannot be made true: %s', error)
            return
        took = self._now() - now
        self._coalesce.took(took)
        flushes.number += 1
        flushes.gathered_ms += now - flushes.first
        flushes.took_ms += took
        self._confirmation.done(wanted.built.keys() - passed.held.keys())
        self._tell_held(passed)
        if passed.relist and self._relisting is None:
            self._relisting = asyncio.ensure_future(self._relist())
        for listener in tuple(self._listeners):
            listener()

    def _tell_held(self, passed: Passed) -> None:
        for backend, (removed, total) in passed.held.items():
            if backend not in self.held:
                log.warning(
                    '%s: %d of %d servers would go at once; held until a list confirms it', backend, removed, total
                )
        for backend in self.held.keys() - passed.held.keys():
            log.info('%s: not held any more', backend)
        self.held = dict(passed.held)

    async def _relist(self) -> None:
        """Ask for everything again, and let what is still said then pass."""
        complete = False
        try:
            self._confirmation.listing()
            async with asyncio.timeout(_RELIST_S):
                # policies too: a backend goes when its policy does
                await asyncio.gather(*(informer.relist('brake') for informer in self.informers.all))
            complete = True
        except TimeoutError:
            log.error('the lists that would confirm a removal of many servers did not come within %g s', _RELIST_S)
            await asyncio.sleep(_AGAIN_S)
        finally:
            self._confirmation.listed(complete=complete)
            self._relisting = None
        self._coalesce.note(self._now(), urgent=True)
        self._woken.set()

    # deadlines

    def _with_ends(self, translation: Translation, desired: Desired, now: int) -> Translation:
        """With the sessions ended of servers that have been on their way out for as long as they were given."""
        wall = self._wall()
        due = self._deadlines.due(translation, self._ended, now=now, wall=wall)
        there = translation.views
        self._ended = {key: at for key, at in self._ended.items() if key in there}
        for key in due:  # a generation may be ahead of this clock: somebody chose it, or another leader's clock was
            known = max(_generation(desired, key), translation.servers[key][0]['sessionGeneration'])
            self._ended[key] = min(max(wall, known + 1), MAX_GENERATION)
        self._deadlines.done(due)  # from now on it is wanted, with every flush until it is in force
        return translation.ending(self._ended)

    def _persistently_gone(self, now: int) -> list[Override]:
        gone = self._translation.gone if not self.held else frozenset()
        over = self._gone.observe(dict.fromkeys(gone, self._gone_ms), now)
        overrides = (self.world.override(name) for name in over)
        return [one for one in overrides if one is not None]


def _generation(desired: Desired, server: ServerKey) -> int:
    """The session generation in force; 0: there is no such server."""
    spec = desired.spec(Key('server', server[1], server[0]))
    return 0 if spec is None else int(spec['sessionGeneration'])
