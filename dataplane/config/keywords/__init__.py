"""config: every keyword of global, proxy, bind and server lines that HAProxy's manual knows, and what becomes of it."""

from __future__ import annotations

from dataplane.config.keywords.bind import BIND
from dataplane.config.keywords.general import GLOBAL, SECTIONS
from dataplane.config.keywords.proxy import ACTIONS, PROXY, TIMEOUTS
from dataplane.config.keywords.samples import CONVERTERS, FETCHES
from dataplane.config.keywords.server import SERVER
from dataplane.config.keywords.table import Keyword, Status

__all__ = [
    'ACTIONS',
    'BIND',
    'CONVERTERS',
    'FETCHES',
    'GLOBAL',
    'PROXY',
    'SECTIONS',
    'SERVER',
    'TIMEOUTS',
    'Keyword',
    'Status',
]
