"""Who asks, and for what, in the words of Kubernetes' access reviews. Plain values; who answers them is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataplane.wire.events import Hello

GROUP = 'sluice.dev'
POD_NAME = 'authentication.kubernetes.io/pod-name'
POD_UID = 'authentication.kubernetes.io/pod-uid'


@dataclass(frozen=True, slots=True)
class Access:
    """One thing to be allowed to do: `verb` on a resource of GROUP (`namespace` '': in all of them), or on `path` instead."""

    verb: str
    resource: str = ''
    namespace: str = ''
    subresource: str = ''
    path: str = ''

    def __str__(self) -> str:
        if self.path:
            return f'{self.verb} {self.path}'
        what = f'{self.resource}/{self.subresource}' if self.subresource else self.resource
        return f'{self.verb} {what}.{GROUP} in {f"namespace {self.namespace}" if self.namespace else "all namespaces"}'


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Whose token it is, as the API server said it."""

    username: str
    uid: str = ''
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """The pod that a data plane's token was made for: its link speaks for this pod and for no other."""

    pod: str
    uid: str

    @classmethod
    def of(cls, who: Reviewed) -> Bound | None:
        """The one pod of a token; None: it was made for none."""
        names, uids = who.extra.get(POD_NAME, ()), who.extra.get(POD_UID, ())
        return cls(names[0], uids[0]) if len(names) == len(uids) == 1 and names[0] and uids[0] else None

    def contradiction(self, hello: Hello) -> str | None:
        """What a hello claims that is not so; None: nothing. A data plane in a pod has the pod's name."""
        for field_, said, known in (
            ('pod', hello.pod, self.pod), ('pod_uid', hello.pod_uid, self.uid), ('dp_id', hello.dp_id, self.pod),
        ):  # fmt: skip
            if said != known:
                return f'hello.{field_}: {said!r:.140} is not what the token was made for'
        return None


def namespace_of(backend: str) -> str:
    """The namespace of a backend in a cluster, NAMESPACE.SERVICE.PORT; '' (all of them must be allowed): it has none."""
    namespace, dot, _ = backend.partition('.')
    return namespace if dot else ''
