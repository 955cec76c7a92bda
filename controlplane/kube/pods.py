"""Which pods of our own namespace there are: a data plane whose pod is gone carries no traffic any more.

A pod that was seen and then removed, or that has ended, is gone at once. One that was never seen may be too new for the
watch, which can lag behind by as long as a dead stream takes to be noticed; it is gone once it was not there for `UNSEEN_MS`.
Before the first list nobody is gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from controlplane.kube.client import Api, Json
from controlplane.kube.informer import Informer
from controlplane.kube.objects import Name
from controlplane.kube.resources import PODS
from controlplane.kube.settle import Persisting

UNSEEN_MS: Final = 120_000
_REMEMBERED: Final = 16_384
_ENDED: Final = frozenset({'Succeeded', 'Failed'})


@dataclass(frozen=True, slots=True)
class Pod:
    """What is needed of one."""

    uid: str
    has_ended: bool

    @classmethod
    def from_dict(cls, document: Json) -> Pod:
        """Keep its uid, and whether all its containers have ended for good."""
        return cls(document['metadata'].get('uid', ''), (document.get('status') or {}).get('phase') in _ENDED)


class Pods:
    """`moved` is called whenever a pod has gone."""

    def __init__(self, api: Api, namespace: str, now: Callable[[], int]) -> None:
        self.informer = Informer(api, PODS, (namespace,), Pod.from_dict)
        self.moved: Callable[[], None] = lambda: None
        self._now = now
        self._there: set[str] = set()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._unseen: Persisting[str] = Persisting()
        self.informer.listen(self._heard)

    def _heard(self, _: Name, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._leave(old.uid)
        if new is not None and new.has_ended:
            self._leave(new.uid)
        elif new is not None:
            self._there.add(new.uid)

    def _leave(self, uid: str) -> None:
        self._there.discard(uid)
        self._gone[uid] = None
        while len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)
        self.moved()

    def gone(self, uids: Iterable[str]) -> set[str]:
        """Those of `uids` whose pods are gone; '' is no pod's. Always ask about all that matter: absence is timed by asking."""
        if not self.informer.synced:
            return set()
        asked = {uid for uid in uids if uid}
        unseen = {uid: UNSEEN_MS for uid in asked - self._there if uid not in self._gone}
        return {uid for uid in asked if uid in self._gone} | set(self._unseen.observe(unseen, self._now()))
