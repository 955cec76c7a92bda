"""The snapshot: what was pushed last, in a ConfigMap. A data plane that starts while no control plane answers begins with it,
and so does the next leader: what it finds in Kubernetes then is a change of that, judged like any other.

It is written by who leads, at most every `DEBOUNCE_S` seconds, and only forward: an earlier version never replaces a later
one. A state that does not fit is said once and leaves the previous snapshot where it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controlplane.domain.version import NOTHING, Version
from controlplane.kube.client import Api, ApiError, KubeError
from controlplane.kube.clock import Clock, LoopClock
from controlplane.kube.records import packed, unpacked
from controlplane.kube.resources import CONFIG_MAPS
from dataplane.wire import state as wire

log = logging.getLogger('sluice.bootstrap')

KEY: Final = 'snapshot.json.gz'
FORMAT: Final = 1  # of the file in which a data plane keeps what it was pushed; this is the same document
DEBOUNCE_S: Final = 5.0
_RETRY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A state and its version. `divided`: backends whose limits are over all data planes together (`limitScope`)."""

    version: Version
    state: wire.State
    divided: tuple[str, ...] = ()


def document(kept: Kept) -> dict[str, Any]:
    """The document that a data plane reads. Of what is `divided` it has no share before it is told one."""
    return {
        'format': FORMAT, 'term': kept.version.term, 'seq': kept.version.seq, 'state': kept.state,
        'state_hash': wire.digest(kept.state), 'divided': list(kept.divided),
    }  # fmt: skip


def parsed(found: Any) -> Kept:
    """Read what `document` made. ValueError: it is none, or not whole."""
    if not isinstance(found, Mapping) or found.get('format') != FORMAT:
        raise ValueError(f'not a snapshot of format {FORMAT}')
    term, seq, state = found.get('term'), found.get('seq'), found.get('state')
    if type(term) is not int or type(seq) is not int or term < 0 or seq < 0:
        raise ValueError('term and seq must be whole numbers')
    problems = wire.check(state)
    if problems or state is None:
        raise ValueError(problems[0])
    if wire.digest(state) != found.get('state_hash'):
        raise ValueError('the state does not have the hash it was kept with')
    return Kept(Version(term, seq), state, tuple(found.get('divided', ())))


class Snapshot:
    """The ConfigMap `name`."""

    def __init__(self, api: Api, namespace: str, name: str, clock: Clock | None = None) -> None:
        self._api, self._namespace, self._name, self._clock = api, namespace, name, clock or LoopClock()
        self._resource_version: str | None = None
        self._kept = NOTHING
        self._said = ''
        self.written = 0
        self.failed = 0

    @property
    def version(self) -> Version:
        """What is in it, as far as is known here."""
        return self._kept

    async def load(self) -> Kept | None:
        """What is in it; None: nothing that can be used. KubeError: not known."""
        try:
            found = await self._api.get(CONFIG_MAPS, self._namespace, self._name)
        except ApiError as error:
            if error.status != 404:
                raise
            self._resource_version, self._kept = None, NOTHING
            return None
        self._resource_version = found['metadata']['resourceVersion']
        text = (found.get('binaryData') or {}).get(KEY)
        if text is None:
            return None
        try:
            kept = await asyncio.to_thread(lambda: parsed(unpacked(text)))
        except ValueError as error:
            log.error('ConfigMap %s/%s: the snapshot is not used: %s', self._namespace, self._name, error)
            return None
        self._kept = kept.version
        return kept

    async def save(self, kept: Kept) -> bool:
        """Keep it, unless something later is there. False: it is not kept (said in the log, once)."""
        try:
            if await self._save(kept):
                self.written += 1
                self._said = ''
                return True
            reason = f'it holds {self._kept}, which is later than {kept.version}'
        except (KubeError, ValueError) as error:
            reason = str(error)
        self.failed += 1
        if reason != self._said:
            log.error('ConfigMap %s/%s: the snapshot is not kept: %s', self._namespace, self._name, reason)
        self._said = reason
        return False

    async def _save(self, kept: Kept) -> bool:
        text = await asyncio.to_thread(lambda: packed(document(kept)))
        for _ in range(3):
            if self._kept >= kept.version:
                return False
            body: dict[str, Any] = {
                'metadata': {'name': self._name, 'labels': {'app.kubernetes.io/managed-by': 'sluice-controlplane'}},
                'data': {'version': str(kept.version)},
                'binaryData': {KEY: text},
            }
            try:
                if self._resource_version is None:
                    made = await self._api.create(CONFIG_MAPS, self._namespace, body)
                else:
                    body['metadata']['resourceVersion'] = self._resource_version
                    made = await self._api.replace(CONFIG_MAPS, self._namespace, self._name, body)
            except ApiError as error:
                if error.status not in {404, 409}:
                    raise
                await self.load()
                continue
            self._resource_version, self._kept = made['metadata']['resourceVersion'], kept.version
            return True
        raise ValueError('somebody else changes it all the time')

    async def keep_up(self, latest: Callable[[], Kept], changed: asyncio.Event, debounce_s: float = DEBOUNCE_S) -> None:
        """While the caller leads: save `latest()` after every change, at most every `debounce_s`. Runs until cancelled."""
        saved = self._clock.now() - debounce_s
        while True:
            await changed.wait()
            await self._clock.sleep(max(0.0, saved + debounce_s - self._clock.now()))
            changed.clear()
            kept = latest()
            if kept.version > self._kept and not await self.save(kept):
                changed.set()  # the next round tries again
                await self._clock.sleep(min(_RETRY_S, debounce_s))
            saved = self._clock.now()
