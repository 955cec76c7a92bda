"""Rules as plain data: the statistics page of a proxy, and who may see it and act on it (configuration manual 4.2, `stats`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from dataplane.rules.actions import Allow, Deny
from dataplane.rules.model import Condition

DEFAULT_STATS_URI: Final = '/haproxy?stats'
DEFAULT_STATS_REALM: Final = 'HAProxy Statistics'
STATS: Final = '<STATS>'
PROMEX: Final = '<PROMEX>'
"""Who answers a request for the page, where a server's name is told."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for credentials: 401 with this realm."""

    realm: str


@dataclass(frozen=True, slots=True)
class PageRule:
    """`stats http-request`: who sees the statistics page, is refused, or is asked for credentials."""

    action: Allow | Deny | Ask
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class StatsPage:
    """The statistics page of a proxy, as its `stats` lines make it.

    `users` are names and passwords; where there are none anybody sees the page, unless `rules` (`stats http-request`) say
    otherwise. `refresh` in seconds, 0: the page stays as it is. `node` and `description`: None where they are not shown.
    `scope`: the proxies shown, empty for all. `admin`: who may change things is whoever meets one of these conditions, None
    being one that always holds.
    """

    uri: str = DEFAULT_STATS_URI
    realm: str = DEFAULT_STATS_REALM
    users: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    refresh: int = 0
    version: bool = True
    legends: bool = False
    node: str | None = None
    description: str | None = None
    scope: tuple[str, ...] = ()
    rules: tuple[PageRule, ...] = ()
    admin: tuple[Condition | None, ...] = ()
