"""Rules: all converters by name (configuration manual 7.3.1)."""

from __future__ import annotations

from typing import Final

from dataplane.rules.converters.digests import DIGESTS
from dataplane.rules.converters.encodings import ENCODINGS
from dataplane.rules.converters.forwarded import FORWARDED
from dataplane.rules.converters.lookups import LOOKUPS
from dataplane.rules.converters.maps import MAPS
from dataplane.rules.converters.notation import NOTATION
from dataplane.rules.converters.numbers import NUMBERS
from dataplane.rules.converters.tables import TABLES
from dataplane.rules.converters.texts import TEXTS
from dataplane.rules.converters.times import TIMES
from dataplane.rules.converters.tokens import TOKENS
from dataplane.rules.converters.variables import VARIABLES
from dataplane.rules.converters.when import WHEN
from dataplane.rules.table import Converter

CONVERTERS: Final[dict[str, Converter]] = (
    TEXTS
    | NUMBERS
    | ENCODINGS
    | NOTATION
    | DIGESTS
    | TIMES
    | VARIABLES
    | LOOKUPS
    | MAPS
    | TABLES
    | FORWARDED
    | TOKENS
    | WHEN
)
"""Every converter that is known."""
