"""Rules: all sample fetches by name, and the criteria of ACLs that are a fetch with a way of comparing."""

from __future__ import annotations

from typing import Final

from dataplane.rules.fetches.authentication import AUTHENTICATION
from dataplane.rules.fetches.client import CLIENT
from dataplane.rules.fetches.constants import CONSTANTS
from dataplane.rules.fetches.cookies import COOKIES
from dataplane.rules.fetches.figures import FIGURES
from dataplane.rules.fetches.headers import HEADERS
from dataplane.rules.fetches.internal import INTERNAL
from dataplane.rules.fetches.parameters import PARAMETERS
from dataplane.rules.fetches.request import REQUEST
from dataplane.rules.fetches.response import RESPONSE
from dataplane.rules.fetches.tables import TABLES
from dataplane.rules.fetches.transport import TRANSPORT
from dataplane.rules.model import Match
from dataplane.rules.table import Fetch

FETCHES: Final[dict[str, Fetch]] = (
    CONSTANTS
    | INTERNAL
    | FIGURES
    | CLIENT
    | REQUEST
    | HEADERS
    | COOKIES
    | PARAMETERS
    | RESPONSE
    | AUTHENTICATION
    | TRANSPORT
    | TABLES
)
"""Every fetch that is known, with the names that are kept for old files."""

_STRINGS: Final = (Match.BEG, Match.DIR, Match.DOM, Match.END, Match.LEN, Match.REG, Match.SUB)
_DERIVED: Final = (
    'base', 'baseq', 'cook', 'hdr', 'path', 'pathq', 'url', 'urlp', 'url_param', 'req.cook', 'req.hdr', 'req.fhdr', 'res.cook',
    'res.hdr', 'res.fhdr', 'scook', 'shdr', 'ssl_fc_sni',
)  # fmt: skip

CRITERIA: Final[dict[str, tuple[str, Match]]] = {
    f'{name}_{match.value}': (name, match) for name in _DERIVED for match in _STRINGS
}
"""Names only an ACL may begin with: the fetch behind it, and how its value is compared where no `-m` says it."""

OWN: Final = {'http_auth_group': Match.AUTH}
"""Fetches that an ACL compares in a way of their own where no `-m` says it, and not by their type."""
