"""config: the sample fetches and converters of HAProxy's manual, as `dataplane.rules` knows them."""

from __future__ import annotations

from typing import Final

from dataplane.config.keywords.table import Keyword, Status, table
from dataplane.rules import absent
from dataplane.rules.converters import CONVERTERS as KNOWN_CONVERTERS
from dataplane.rules.fetches import FETCHES as KNOWN_FETCHES
from dataplane.rules.phases import Use

_NO_TLS: Final = 'connections are never of TLS: false, or nothing is found'


def _fetch(name: str) -> Keyword:
    if name in absent.UNANSWERED:
        return Keyword(name, Status.REFUSED, 'it is not supported yet')
    encrypted = KNOWN_FETCHES[name].use is Use.CLIENT_SSL or name.startswith('ssl_')
    return Keyword(name, Status.SUPPORTED, _NO_TLS if encrypted else '')


FETCHES: Final = table(
    [_fetch(name) for name in KNOWN_FETCHES],
    [Keyword(name, Status.REFUSED, reason) for name, reason in absent.FETCHES.items()],
)
"""Sample fetches; ACLs may also begin with those of the forms `hdr_beg(NAME)`, which stand in `rules.fetches.CRITERIA`."""

CONVERTERS: Final = table(
    [Keyword(name, Status.SUPPORTED) for name in KNOWN_CONVERTERS],
    [Keyword(name, Status.REFUSED, reason) for name, reason in absent.CONVERTERS.items()],
)
"""Converters of samples."""
