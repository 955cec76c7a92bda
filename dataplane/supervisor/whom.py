"""Whom a data plane dials: the control plane that is configured, and for a while the one that this one named as the leader.

Several control planes stand behind one name, and one of them leads. The others close a link at once with `NOT_LEADER` and say
in the reason who does: `{"leader": "HOST:PORT"}`. To dial that one directly matters: a resolver gives the addresses behind a name in
the same order each time, so that a data plane could go on asking the same follower for ever.

A named leader has to show the certificate of the configured name: whoever may name one may not make us trust another. It is
forgotten when a link to it cannot be made or is lost, for then somebody else may lead; and followers that name each
other are not believed for long: after `_HOPS` in a row, the configured one is asked again after the usual pause.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

import yarl

from dataplane.core.model import Global
from dataplane.wire.events import Hello

NOT_LEADER: Final = 4421
LINK_PATH: Final = '/v1/push'
_HOPS: Final = 2
_ADDRESS: Final = re.compile(r'(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})', re.ASCII)


def hello(settings: Global, identity: str, environment: Mapping[str, str], software: str) -> Hello:
    """How this data plane introduces itself, before it knows anything of what the control plane says."""
    return Hello(
        dp_id=identity,
        term=0,
        seq=0,
        term_seen=0,
        state_hash='',
        workers=settings.nbthread,
        node=settings.node,
        pod=environment.get('POD_NAME', ''),
        pod_uid=environment.get('POD_UID', ''),
        software=software,
    )


def link_of(url: str) -> yarl.URL:
    """The address of the link: as configured, or where control planes have it when only the server is named."""
    address = yarl.URL(url)
    return address.with_path(LINK_PATH) if address.path in {'', '/'} else address


class Whom:
    """`url` is what is configured. Ask `next` before each attempt, and tell `ended` how it came out."""

    def __init__(self, url: str) -> None:
        self._configured = link_of(url)
        self._leader: tuple[str, int] | None = None
        self._hops = 0

    def next(self) -> tuple[yarl.URL, str | None]:
        """The address to dial, and the name its certificate must be good for (None: the address' own)."""
        if self._leader is None:
            return self._configured, None
        host, port = self._leader
        return self._configured.with_host(host).with_port(port), self._configured.host

    def ended(self, code: int | None, reason: str, *, heard: bool) -> bool:
        """A link ended with `code` and `reason` (None: it was not made, or lost); `heard`: it had carried something.

        Returns whether to try again at once, because a leader was named.
        """
        if heard:
            self._hops = 0
        self._leader = _leader(reason) if code == NOT_LEADER else None
        if self._leader is None:
            return False
        self._hops += 1
        if self._hops > _HOPS:
            self._leader, self._hops = None, 0
        return self._leader is not None


def _leader(reason: str) -> tuple[str, int] | None:
    """Who leads, as the reason of a close says; None: it does not say so, or nothing that could be dialled."""
    try:
        named = json.loads(reason)['leader']
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    match = _ADDRESS.fullmatch(named) if isinstance(named, str) else None
    if match is None or not 0 < int(match['port']) < 65_536:
        return None
    return match['host'].strip('[]'), int(match['port'])
