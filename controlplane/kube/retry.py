"""What an informer does after something went wrong: how long it rests, whether it must list again, what it reports. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.kube.clock import Backoff
from controlplane.kube.errors import ApiError, KubeError, Unreachable

_LONGEST_RETRY_AFTER_S: Final = 120.0


class Ill(StrEnum):
    """Why an informer does not hear; also the label of its metric."""

    UNREACHABLE = 'unreachable'  # no answer, or none that makes sense
    SILENT = 'silent'  # the connection stands, and nothing comes
    EMPTY = 'empty'  # watches end at once without having said anything
    EXPIRED = 'expired'  # 410: the version is too old
    BEHIND = 'behind'  # the version is too new: the server lags, or its data was restored
    THROTTLED = 'throttled'  # 429
    UNAUTHORIZED = 'unauthorized'  # 401, also with new credentials
    FORBIDDEN = 'forbidden'  # 403: a rule of RBAC is missing
    MISSING = 'missing'  # 404: the kind is not installed
    REFUSED = 'refused'  # any other 4xx
    FAILING = 'failing'  # 5xx


class Silent(Unreachable):
    """Nothing was heard for so long that the connection is taken for dead."""


class Empty(Unreachable):
    """A watch ended within a second and without a word. One may be chance; several are a version nobody serves."""


class InStream(KubeError):
    """An ERROR event: the stream ends, and what it would have said next is not known."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Trouble:
    """`since`: seconds since 1970. `text` is for people: conditions, logs."""

    ill: Ill
    text: str
    since: float

    def __str__(self) -> str:
        return f'{self.ill}: {self.text}'


@dataclass(frozen=True, slots=True)
class Step:
    """Rest for `pause_s`; then list again if there is a reason for that ('' means watch on from the last version)."""

    ill: Ill
    pause_s: float
    relist: str = ''


@dataclass(slots=True)
class Retry:
    """`slow_s`: between attempts at what only a person can mend (403). `missing_s`: at a kind that is not installed.

    The first `quickly` of these follow each other as other failures do: an API server that has just started answers 403 and 404 for a
    moment, until it has read the roles and the kinds.
    """

    draws: random.Random
    slow_s: float = 60.0
    missing_s: float = 30.0
    expired_again_s: float = 30.0
    empty_at_most: int = 3
    quickly: int = 4
    backoff: Backoff = field(init=False)
    _empty: int = 0
    _refused: int = 0
    _refused_at: float = float('-inf')

    def __post_init__(self) -> None:
        self.backoff = Backoff(self.draws)

    def heard(self) -> None:
        """A watch said something."""
        self._empty = self._refused = 0

    def after(self, error: KubeError, now: float, listed_at: float) -> Step:
        """`listed_at`: when the last list was taken over, on the clock of `now`."""
        match error:
            case InStream():
                return self._answered(error.error, now, listed_at, in_stream=True)
            case ApiError():
                return self._answered(error, now, listed_at, in_stream=False)
            case Empty():
                self._empty += 1
                relist = 'empty watches' if self._empty >= self.empty_at_most else ''
                return Step(Ill.EMPTY, self.backoff.failed(now), relist)
            case Silent():
                return Step(Ill.SILENT, self.backoff.failed(now))
            case _:
                return Step(Ill.UNREACHABLE, self.backoff.failed(now))

    def _answered(self, error: ApiError, now: float, listed_at: float, in_stream: bool) -> Step:
        if error.is_gone:
            # at once: nothing is wrong but that we were away for long; unless listing does not help
            again = now - listed_at < self.expired_again_s
            return Step(Ill.EXPIRED, self.backoff.failed(now) if again else 0.0, 'expired')
        relist = 'error event' if in_stream else ''
        if error.is_too_new:
            return Step(Ill.BEHIND, self._asked(error, now), 'version too new')
        match error.status:
            case 429:
                return Step(Ill.THROTTLED, self._asked(error, now), relist)
            case 401:
                return Step(Ill.UNAUTHORIZED, self.backoff.failed(now), relist)
            case 403:
                return Step(Ill.FORBIDDEN, self._refusal(now, self.slow_s), relist)
            case 404:
                return Step(Ill.MISSING, self._refusal(now, self.missing_s), 'kind was missing')
            case status if 400 <= status < 500:
                return Step(Ill.REFUSED, self._refusal(now, self.slow_s), 'refused')
        return Step(Ill.FAILING, self._asked(error, now), relist)

    def _asked(self, error: ApiError, now: float) -> float:
        """What the server asks for, within reason, else the backoff's pause."""
        if error.retry_after is None:
            return self.backoff.failed(now)
        return min(error.retry_after, _LONGEST_RETRY_AFTER_S) + self.draws.uniform(0.0, 0.5)

    def _refusal(self, now: float, slow_s: float) -> float:
        """The pause after what will probably be answered the same way next time."""
        if now - self._refused_at >= 2 * slow_s:
            self._refused = 0  # it was answered otherwise since, or it would have been asked again
        self._refused, self._refused_at = self._refused + 1, now
        return self.backoff.failed(now) if self._refused <= self.quickly else self._spread(slow_s)

    def _spread(self, seconds: float) -> float:
        return self.draws.uniform(0.5, 1.0) * seconds
