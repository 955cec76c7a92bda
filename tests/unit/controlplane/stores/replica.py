"""One replica of the control plane over a fake API server: what a KubernetesStore is made of, with short times."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.store import StoredObject
from controlplane.kube.election import Election, LeaseObject
from controlplane.kube.lease import Elector, Times
from controlplane.kube.outcome import ServerView
from controlplane.kube.records import Records
from controlplane.kube.translate import Translator
from controlplane.kube.wishes import Wishes
from controlplane.kube.world import World
from controlplane.stores.kubernetes import KubernetesStore
from tests.kube.fakeserver import FakeApiServer

NAMESPACE = 'sluice-system'
SHORT = Times(lease_ms=4_000, renew_ms=3_000, retry_ms=50)


class Replica:
    """Nothing renews its lease: it leads for 3 s, or until it lets go. `world` is filled by the test."""

    def __init__(self, fake: FakeApiServer, name: str, times: Times = SHORT) -> None:
        api = fake.api()
        self.world = World()
        self.translator = Translator(self.world)
        self.records = Records(api, NAMESPACE, 'sluice')
        lease = LeaseObject(api, NAMESPACE, 'sluice', f'{name}:8000', times.lease_ms)
        self.election = Election(Elector(name, times), lease, self.records)
        self.wishes = Wishes(api, self.world, self.views, self.seen)

    def views(self) -> Mapping[tuple[str, str], ServerView]:
        return self.translator.translate().views

    def seen(self, override: object, is_there: bool) -> None:
        assert is_there

    async def begin(self, term: int) -> tuple[StoredObject, ...]:
        return ()

    def store(self) -> KubernetesStore:
        return KubernetesStore(self.election, self.records, self.wishes, self.begin)
