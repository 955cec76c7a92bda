"""Rules: log-format strings -> parts (configuration manual 8.2.6): text, `%alias`, `%{flags}alias`, `%[expression]`, `%%`.

Messages are HAProxy's, without a full stop: whoever knows the rule adds which one it is. Raises Rejected.
"""

from __future__ import annotations

import re
from typing import Final

from dataplane.rules.aliases import ALIASES
from dataplane.rules.expressions import names_in, read_expression
from dataplane.rules.fetches import FETCHES
from dataplane.rules.fetches.constants import encoded
from dataplane.rules.model import Alias, Computed, Flags, Format, Named
from dataplane.rules.phases import AVAILABLE
from dataplane.rules.problems import Rejected, did_you_mean, shown
from dataplane.rules.scope import Scope

_ALIAS: Final = re.compile(r'[A-Za-z0-9]+', re.ASCII)
_FLAG: Final = {'Q': Flags.QUOTED, 'E': Flags.ESCAPED, 'X': Flags.HEXADECIMAL, 'M': Flags.MANDATORY}


def parse_format(text: str, scope: Scope, *, base: Flags = Flags.NONE, merge: bool = False) -> Format:
    """The parts of a log-format string.

    `base`: flags everything has from the beginning - MANDATORY in log lines, ENCODED in URIs and in what is sent as text.
    `merge`: runs of blanks are one, as in log lines.
    """
    parts: list[bytes | Alias | Computed] = []
    common = base
    at = 0
    while at < len(text):
        mark = text.find('%', at)
        _put(parts, text[at : mark if mark >= 0 else len(text)], merge=merge)
        if mark < 0:
            break
        at = mark + 1
        if text.startswith('%', at):
            _put(parts, '%', merge=False)
            at += 1
            continue
        if at >= len(text):
            scope.warnings.append("lone '%' at the end is left out, '%%' stands for one")
            break
        flags = common
        if text.startswith('{', at):
            flags, at = _flags(text, at, common)
        if text.startswith('[', at):
            part, at = _computed(text, at + 1, flags, scope)
            parts.append(part)
            continue
        if not text[at : at + 1].isalnum():
            scope.warnings.append(f"lone '%' before '{shown(text[at:])}' is left out, '%%' stands for one")
            continue
        name = _name(text, at)
        at += len(name)
        if name == 'o':
            common = flags
        else:
            parts.append(Alias(name, flags))
    return Format(tuple(parts), merge)


def _put(parts: list[bytes | Alias | Computed], text: str, *, merge: bool) -> None:
    pieces = [text]
    if merge:
        pieces = [piece if piece.strip(' \t') else ' ' for piece in re.split(r'([ \t]+)', text) if piece]
    for piece in pieces:
        if not piece:
            continue
        last = parts[-1] if parts else None
        if isinstance(last, bytes) and not (merge and b' ' in (last, encoded(piece))):
            parts[-1] = last + encoded(piece)
        else:
            parts.append(encoded(piece))


def _flags(text: str, at: int, flags: Flags) -> tuple[Flags, int]:
    """The flags in the braces at `at`, on top of those that are in force."""
    end = text.find('}', at)
    if end < 0:
        msg = f"truncated line after '{shown(text[at + 1 :])}'"
        raise Rejected(msg)
    if end + 1 >= len(text):
        msg = f"parse argument modifier without variable name near '%{shown(text[at:])}'"
        raise Rejected(msg)
    for word in text[at + 1 : end].split(','):
        sign, name = word[:1], word[1:]
        if not word:
            continue
        if sign not in '+-' or name not in _FLAG:
            hint = (
                ' is not supported'
                if name in ('json', 'cbor', 'bin')
                else ': only Q, E, X and M are, each behind + or -'
            )
            msg = f"format flag '{shown(word)}'{hint}"
            raise Rejected(msg)
        flags = flags | _FLAG[name] if sign == '+' else flags & ~_FLAG[name]
    return flags, end + 1


def _computed(text: str, at: int, flags: Flags, scope: Scope) -> tuple[Computed, int]:
    try:
        expression, end = read_expression(text, at, scope)
    except Rejected as problem:
        msg = f'failed to parse sample expression <{shown(text[at:])}> : {problem}'
        raise Rejected(msg) from None
    if not text.startswith(']', end):
        found = f"but found '{shown(text[end : end + 1])}'"
        msg = f"expected ']' after '{shown(text[at:end])}', {found}"
        raise Rejected(msg)
    use = FETCHES[expression.fetch.name].use
    if scope.phase not in AVAILABLE[use]:
        what = f"sample fetch <{shown(text[at:end])}> may not be reliably used here because it needs '{use.value}'"
        msg = f'{what} which is not available here'
        raise Rejected(msg)
    return Computed(expression, flags), end + 1


def _name(text: str, at: int) -> str:
    found = _ALIAS.match(text, at)
    name = found[0] if found else text[at : at + 1]
    if name not in ALIASES and name != 'o':
        verbatim = "If you wanted to emit the '%' character verbatim, you need to use '%%'"
        msg = f"no such format variable '{shown(name)}'{did_you_mean(name, ALIASES)}. {verbatim}"
        raise Rejected(msg)
    return name


def names_in_format(format_: Format) -> list[Named]:
    """Everything a format's expressions name that has to be looked for elsewhere."""
    return [name for part in format_.parts if isinstance(part, Computed) for name in names_in(part.expression)]
