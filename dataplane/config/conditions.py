"""config: the expressions of `.if` and `.elif` (configuration manual 2.4).

An expression is made of integers (0 is false), predicates, parentheses, `!`, `&&` and `||`; `&&` binds tighter. The
empty expression is false. Predicates about the TLS library are all false: there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMPATIBLE_VERSION: Final = '3.4.0'
"""The release of HAProxy whose manual the file is read by: what `version_atleast()` compares with."""

_MAX_DEPTH: Final = 64
_FEATURES: Final = frozenset(('EPOLL', 'THREAD', 'PROMEX'))
_ENABLED: Final = frozenset(('EPOLL', 'GETADDRINFO', 'REUSEPORT'))
_PREDICATES: Final = {
    'defined': 1, 'feature': 1, 'streq': 2, 'strneq': 2, 'strstr': 2, 'version_atleast': 1, 'version_before': 1,
    'enabled': 1, 'openssl_version_atleast': 1, 'openssl_version_before': 1, 'ssllib_name_startswith': 1,
    'awslc_api_atleast': 1, 'awslc_api_before': 1, 'fips_mode': 0,
}  # fmt: skip
_INTEGER: Final = re.compile(r'[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)')
_IDENTIFIER: Final = re.compile(r'[a-z_0-9]+')
_VERSION: Final = re.compile(r'(\d{1,9})(?:\.(\d{1,9}))?(?:-dev(\d{1,9})|\.(\d{1,9}))?')


@dataclass(slots=True)
class _Text:
    whole: str
    at: int = 0

    def skip(self) -> str:
        """Skip blanks; answers what is left."""
        while self.at < len(self.whole) and self.whole[self.at] in ' \t':
            self.at += 1
        return self.whole[self.at :]

    def take(self, token: str) -> bool:
        if not self.skip().startswith(token):
            return False
        self.at += len(token)
        return True

    def fail(self, what: str) -> Rejected:
        return Rejected(f"{what} '{shown(self.whole)}' at position {self.at + 1}")


def evaluate(expression: str, env: Mapping[str, str]) -> bool:
    """Is the condition true? Every part is parsed, also where the answer is already known. Raises Rejected."""
    text = _Text(expression)
    if not text.skip():
        return False
    answer = _or(text, env, _MAX_DEPTH)
    rest = text.skip()
    if rest:
        raise text.fail(f"unexpected character '{shown(rest[0])}' at the end of conditional expression")
    return answer


def _or(text: _Text, env: Mapping[str, str], depth: int) -> bool:
    answer = _and(text, env, depth)
    while text.take('||'):
        answer = _and(text, env, depth) or answer
    return answer


def _and(text: _Text, env: Mapping[str, str], depth: int) -> bool:
    answer = _term(text, env, depth)
    while text.take('&&'):
        answer = _term(text, env, depth) and answer
    return answer


def _term(text: _Text, env: Mapping[str, str], depth: int) -> bool:
    negated = False
    while text.take('!'):
        negated = not negated
    rest = text.skip()
    if depth <= 0 or not rest:
        raise text.fail('unparsable conditional expression')
    number = _INTEGER.match(text.whole, text.at)
    if number:
        text.at = number.end()
        return (int(number.group()[:4000], 0 if 'x' in number.group().lower() else 10) != 0) != negated
    if text.take('('):
        answer = _or(text, env, depth - 1)
        if not text.take(')'):
            raise text.fail("expected ')' after conditional expression")
        return answer != negated
    return _predicate(text, env) != negated


def _predicate(text: _Text, env: Mapping[str, str]) -> bool:
    name = _IDENTIFIER.match(text.whole, text.at)
    if name is None or name.group() not in _PREDICATES:
        raise text.fail('unparsable conditional expression')
    word, wanted = name.group(), _PREDICATES[name.group()]
    text.at = name.end()
    args = _arguments(text, word) if text.whole.startswith('(', text.at) else []
    if len(args) < wanted:
        raise text.fail(
            f"missing arguments (got {len(args)}/{wanted}) of predicate '{word}' used in conditional expression"
        )
    if len(args) > wanted:
        raise text.fail(f"too many arguments of predicate '{word}' used in conditional expression")
    return _answer(word, args, env)


def _arguments(text: _Text, word: str) -> list[str]:
    """The comma-separated arguments between parentheses; quotes and backslashes protect commas and parentheses."""
    args, current, quote = [], '', ''
    text.at += 1
    while text.at < len(text.whole):
        char = text.whole[text.at]
        text.at += 1
        if char == '\\' and quote != "'" and text.at < len(text.whole):
            current += text.whole[text.at]
            text.at += 1
        elif char == quote:
            quote = ''
        elif quote or char not in '"\',)':
            current += char
        elif char in '"\'':
            quote = char
        else:
            args.append(current)
            current = ''
            if char == ')':
                return args if args != [''] or _PREDICATES[word] else []
    raise text.fail(f"expected ')' after the arguments of predicate '{word}' used in conditional expression")


def _answer(word: str, args: list[str], env: Mapping[str, str]) -> bool:
    answers: dict[str, Callable[[], bool]] = {
        'defined': lambda: args[0] in env,
        'feature': lambda: args[0] in _FEATURES,
        'enabled': lambda: args[0] in _ENABLED,
        'streq': lambda: args[0] == args[1],
        'strneq': lambda: args[0] != args[1],
        'strstr': lambda: args[1] in args[0],
        'version_atleast': lambda: _version(COMPATIBLE_VERSION) >= _version(args[0]),
        'version_before': lambda: _version(COMPATIBLE_VERSION) < _version(args[0]),
    }
    return answers[word]() if word in answers else False


def _version(text: str) -> tuple[int, int, int, int]:
    """Comparable form of `MAJOR[.MINOR[.PATCH | -devN]]`: development versions come before the release."""
    found = _VERSION.match(text)
    if found is None:
        msg = f"'{shown(text)}' is not a version, expected MAJOR.MINOR[.PATCH]"
        raise Rejected(msg)
    major, minor, dev, patch = found.groups()
    return int(major), int(minor or 0), int(dev) if dev else 1_000_000_000, int(patch or 0)
