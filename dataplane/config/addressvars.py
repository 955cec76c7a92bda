"""config: environment variables in addresses, which count outside double quotes as well: `server s ${HOST}:$PORT`.

The reader replaces variables in double quotes. In addresses HAProxy replaces what is left of them once more, wherever it
stood; what is not set is nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_VARIABLE: Final = re.compile(r'\$(\{?)([A-Za-z0-9_]*)\}?', re.ASCII)
_AT: Final = {'bind': 1, 'log': 1, 'source': 1, 'server': 2, 'server-template': 3}
_CHECKS: Final = ('http-check', 'tcp-check')
_NAMED: Final = {
    **dict.fromkeys(('server', 'default-server', 'server-template'), ('addr', 'agent-addr', 'source')),
    **dict.fromkeys(_CHECKS, ('addr',)),
}


def replaced(words: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """The words of a line, with variables in its addresses replaced."""
    if not any('$' in word for word in words):
        return tuple(words)
    found = list(words)
    for at in _places(words):
        found[at] = _VARIABLE.sub(lambda name: env.get(name[2], ''), found[at])
    return tuple(found)


def _places(words: Sequence[str]) -> list[int]:
    keyword = words[0]
    at = 2 if (keyword, *words[1:2]) == ('stats', 'socket') else _AT.get(keyword, 0)
    if keyword in _CHECKS and words[1:2] != ['connect']:
        return []
    named = _NAMED.get(keyword, ())
    places = [at] if 0 < at < len(words) else []
    return places + [place for place in range(at + 2, len(words)) if words[place - 1] in named]
