"""Which pods of our own namespace there are: a data plane whose pod is gone carries no traffic any more.

A pod that was seen and then removed, or that has ended, is gone at once. One that was never seen may have gone before anybody
watched, or be too new for the watch, which can lag behind by as long as a dead stream takes to be noticed: that one is asked for
by its name (`look`), which the API server answers from what is, not from what a cache has heard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.kube.client import Api, Json
from controlplane.kube.informer import Informer
from controlplane.kube.objects import Name
from controlplane.kube.resources import PODS

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
    """`moved` is called whenever a pod has gone. `others`: namespaces that are not watched, but may have pods that are asked for."""

    def __init__(self, api: Api, namespace: str, others: Sequence[str] = ()) -> None:
        self.informer = Informer(api, PODS, (namespace,), Pod.from_dict)
        self.moved: Callable[[], None] = lambda: None
        self._api, self._namespaces = api, (namespace, *others)
        self._there: set[str] = set()
        self._gone: OrderedDict[str, None] = OrderedDict()
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

    def gone(self, uid: str) -> bool:
        """Whether the pod that once had this uid is known to be gone; '' is no pod's."""
        return uid in self._gone

    async def look(self, names: Mapping[str, str]) -> None:
        """Ask for those of `names` (uid -> name) of which nothing was heard. Nobody is asked for before the first list. KubeError:
        the API server cannot be asked.
        """
        if not self.informer.synced:
            return
        for uid, name in names.items():
            if uid and uid not in self._there and uid not in self._gone and not await self._lives(uid, name):
                self._leave(uid)

    async def _lives(self, uid: str, name: str) -> bool:
        for namespace in self._namespaces:
            page = await self._api.list_page(PODS, namespace, field_selector=f'metadata.name={name}')
            if any(pod.uid == uid and not pod.has_ended for pod in map(Pod.from_dict, page['items'])):
                return True
        return False
