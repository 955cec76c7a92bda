"""Why the control plane says no. Each refusal leaves everything as it was.

Refusal ── NotFound            no such backend, server, route, operation or data plane
        ├─ Invalid             what was asked for is wrong in itself (`problems`)
        ├─ Conflict            it contradicts what is there
        │  └─ Managed          it is not set here: something else says what there is
        ├─ Held                it would remove too much at once and was not confirmed
        ├─ PreconditionFailed  If-Match / If-None-Match does not hold (`current`)
        ├─ StoreUnavailable    it could not be made durable
        │  └─ Fenced           for good: another control plane has taken over the store
        └─ Denied              of who asks
           ├─ Unauthorized     it is not known who that is
           ├─ Forbidden        they may not
           ├─ Misdirected      under this host name nobody is answered
           └─ ReviewsUnavailable  whether they may cannot be found out now
"""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.domain.version import Version


class Refusal(Exception):
    """Base of all; its text is for people."""


class NotFound(Refusal):
    """What was named is not there."""


class Invalid(Refusal):
    """The request is wrong in itself; `problems` says all that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__('; '.join(problems))
        self.problems = tuple(problems)


class Conflict(Refusal):
    """The request contradicts the present state."""


class Managed(Conflict):
    """What there is comes from elsewhere (Services, policies) and is changed there."""


class Held(Refusal):
    """The mass-removal brake: `removed` of `total` servers of `backend` would go at once."""

    def __init__(self, backend: str, removed: int, total: int) -> None:
        super().__init__(
            f'backend {backend}: {removed} of {total} servers would be removed at once; confirm if that is meant'
        )
        self.backend = backend


class PreconditionFailed(Refusal):
    """The resource is at `current` (None: it does not exist), not where the caller believed it to be."""

    def __init__(self, current: Version | None) -> None:
        super().__init__('it does not exist' if current is None else f'its version is {current}')
        self.current = current


class StoreUnavailable(Refusal):
    """The change could not be made durable, so it was not made."""


class Fenced(StoreUnavailable):
    """Another control plane has opened the store since; this one changes nothing any more."""


class Denied(Refusal):
    """Base of what is decided by who asks."""


class Unauthorized(Denied):
    """Nothing that was presented says who asks."""


class Forbidden(Denied):
    """Who asks is known, and may not."""


class Misdirected(Denied):
    """The host name asked for is not served."""


class ReviewsUnavailable(Denied):
    """Who asks, or whether they may, cannot be found out now; so it is a no, for now. `retry_s`: when to ask again."""

    def __init__(self, why: str, retry_s: int = 1) -> None:
        super().__init__(why)
        self.retry_s = retry_s
