"""Rules: words -> ACLs and conditions (configuration manual 7.1, 7.2).

Messages are HAProxy's, without a full stop: whoever knows the rule adds which one it is. Raises Rejected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dataplane.rules import absent
from dataplane.rules.expressions import names_in, output_type, read_expression, read_fetch
from dataplane.rules.fetches import CRITERIA, FETCHES, OWN
from dataplane.rules.matching import DEFAULT, OPERATORS, WANTED, parse_pattern
from dataplane.rules.model import Acl, Condition, Expression, Match, Named, Pattern, PatternFile, Term, Test, Use
from dataplane.rules.phases import AVAILABLE, Phase
from dataplane.rules.problems import Rejected, did_you_mean, shown
from dataplane.rules.samples import may_cast
from dataplane.rules.scope import Scope
from dataplane.rules.stores import read_patterns

_NAME: Final = re.compile(r'[A-Za-z0-9_.:-]+', re.ASCII)
_CRITERION: Final = re.compile(r'[A-Za-z0-9._+-]*', re.ASCII)
_METHODS: Final = {match.value: match for match in Match if match not in (Match.METH, Match.AUTH)}


@dataclass(slots=True)
class _Flags:
    """What stands between the criterion and the patterns."""

    match: Match | None = None
    fold: bool = False
    pairs: bool = False
    identity: int = 0
    files: list[PatternFile] = field(default_factory=list)


def parse_acl(words: Sequence[str], scope: Scope) -> Acl:
    """A line `acl NAME CRITERION [FLAGS] [PATTERNS]`, `words` being what follows the keyword. It is one of perhaps more
    lines of that name: see `added`.
    """
    name = words[0] if words else ''
    if not _NAME.fullmatch(name):
        bad = re.sub(r'^[A-Za-z0-9_.:-]*', '', name)
        msg = (
            f"character '{shown(bad[:1])}' is not permitted in acl name '{shown(name)}'" if name else 'missing acl name'
        )
        raise Rejected(msg)
    if name.lower() == 'or':
        msg = f"acl name '{name}' will never match. 'or' is used to express a disjunction within a condition"
        raise Rejected(msg)
    return Acl(name, (parse_test(words[1:], scope),))


def added(acls: dict[str, Acl], acl: Acl) -> None:
    """Put a line's ACL to those of the section: lines of one name are alternatives."""
    before = acls.get(acl.name)
    acls[acl.name] = acl if before is None else Acl(acl.name, before.tests + acl.tests)


def parse_test(words: Sequence[str], scope: Scope) -> Test:
    """What an ACL tests: a criterion, flags and patterns."""
    expression, match = _criterion(words[0] if words else '', scope)
    flags = _Flags()
    at = _read_flags(words, 1, flags, scope)
    name = expression.fetch.name
    match = flags.match or match
    if match is None:
        text = "matching method must be specified first (using '-m')"
        msg = f"{text} when using a sample fetch of this type ('{name}')"
        raise Rejected(msg)
    if not may_cast(output_type(expression), WANTED[match]):
        msg = f"matching method '{match.value}' cannot be used with fetch keyword '{name}'"
        raise Rejected(msg)
    if len(words) == 1 and match is not Match.BOOL:
        scope.warnings.append(
            f"acl keyword '{shown(words[0])}' : no pattern to match against were provided, so this ACL will never match. "
            "If this is what you intended, please add '--'; to match only for existence, use '-m found'; an int as a bool, '-m bool'"
        )
    for file in flags.files:
        _check_file(match, file, scope)
    patterns = _patterns(words[at:], match, fold=flags.fold)
    if match is Match.AUTH:
        _check_groups(expression, patterns, flags, scope)
    own = 0
    if scope.references is not None:
        for file in flags.files:
            scope.references.acl(file.name, Use(match, file.fold))
        own = scope.references.own(_CRITERION.match(words[0])[0], Use(match, flags.fold), patterns, flags.identity)  # type: ignore[index]
    return Test(expression, match, patterns, tuple(flags.files), flags.identity, own)


def _check_groups(expression: Expression, patterns: Sequence[Pattern], flags: _Flags, scope: Scope) -> None:
    """The groups that are named are looked for in their list when the whole file is read."""
    if not patterns and not flags.files:
        msg = f'{expression.fetch.name}(): no groups specified'
        raise Rejected(msg)
    groups = tuple(pattern.text for pattern in patterns)
    scope.userlists += [(name.name, groups) for name in names_in(expression)]


def _criterion(text: str, scope: Scope) -> tuple[Expression, Match | None]:
    """The expression of a criterion, and how its value is compared unless `-m` says otherwise."""
    found = _CRITERION.match(text)
    name = found[0] if found else ''
    if not name:
        msg = f"missing fetch method in ACL expression '{shown(text)}'"
        raise Rejected(msg)
    if name not in FETCHES and name not in CRITERIA:
        hint = did_you_mean(name, [*FETCHES, *CRITERIA])
        msg = f"unknown fetch method '{shown(name)}' in ACL expression '{shown(text)}'{hint}"
        if name in absent.FETCHES:
            msg = f"fetch method '{name}' is not supported: {absent.FETCHES[name]}"
        raise Rejected(msg)
    try:
        base, own = CRITERIA.get(name, (name, None))
        call, end = read_fetch(base, text, len(name), scope, written=name)
        expression = Expression(call)
        if text.startswith(',', end):
            whole = base + text[len(name) :]
            expression, end = read_expression(whole, 0, scope)
            text, own = whole, None
        if end < len(text):
            msg = f"missing comma after fetch keyword '{name}'"
            raise Rejected(msg)
    except Rejected as problem:
        msg = f"ACL keyword '{name}' : {problem}"
        raise Rejected(msg) from None
    if own is None and not expression.converters:
        own = OWN.get(name)
    return expression, own or DEFAULT.get(output_type(expression))


def _read_flags(words: Sequence[str], at: int, flags: _Flags, scope: Scope) -> int:
    """Read the flags that begin at `at`; answers where the patterns begin."""
    while at < len(words) and words[at].startswith('-'):
        word, value = words[at], words[at + 1] if at + 1 < len(words) else ''
        at += 1
        if word == '--':
            break
        if word == '-i':
            flags.fold = True
        elif word == '-M':
            flags.pairs = True
        elif word in ('-m', '-f', '-u'):
            _valued(word, value, flags)
            at += 1
        elif word != '-n':
            text = f"'{shown(word)}' is not a valid ACL option"
            msg = f"{text}. Please use '--' before any pattern beginning with a '-'"
            raise Rejected(msg)
    flags.files = [replace(file, name=read_patterns(file.name, scope, pairs=file.pairs)) for file in flags.files]
    return at


def _valued(word: str, value: str, flags: _Flags) -> None:
    if word == '-m':
        if flags.files:
            msg = "'-m' must only be specified before patterns and files in parsing ACL expression"
            raise Rejected(msg)
        if value not in _METHODS:
            msg = f"unknown matching method '{shown(value)}' when parsing ACL expression"
            raise Rejected(msg)
        flags.match = _METHODS[value]
    elif word == '-f':
        if not value:
            msg = 'missing file name for -f'
            raise Rejected(msg)
        flags.files.append(PatternFile(value, flags.fold, flags.pairs))
    else:
        if not (value.isascii() and value.isdigit() and 0 < len(value) <= 10):
            msg = f"the argument of -u must be an integer (got '{shown(value)}')"
            raise Rejected(msg)
        flags.identity = int(value)


def _check_file(match: Match, file: PatternFile, scope: Scope) -> None:
    for entry in scope.files[file.name]:
        try:
            parse_pattern(match, entry.pattern)
        except Rejected as problem:
            msg = f"{problem} at line {entry.line} of file '{shown(file.name)}'"
            raise Rejected(msg) from None


def _patterns(words: Sequence[str], match: Match, *, fold: bool) -> tuple[Pattern, ...]:
    if match in (Match.BOOL, Match.FOUND):
        return ()
    found, operator = [], 'eq'
    for word in words:
        if match in (Match.INT, Match.LEN) and word in OPERATORS:
            operator = word
        else:
            found.append(Pattern(parse_pattern(match, word, operator), fold))
    return tuple(found)


def parse_condition(words: Sequence[str], acls: Mapping[str, Acl], scope: Scope) -> Condition:
    """The condition that `words` are: `if` or `unless`, and ACLs of `acls` (those of the section), predefined or anonymous.

    An ACL that can never match where the rule stands is warned of in `scope.warnings`, as HAProxy does.
    """
    if not words or words[0] not in ('if', 'unless'):
        msg = f"expects either 'if' or 'unless' followed by a condition but found '{shown(words[0] if words else '')}'"
        raise Rejected(msg)
    groups: list[list[Term]] = [[]]
    negated, at = False, 1
    while at < len(words):
        word = words[at]
        at += 1
        bare = word.lstrip('!')
        negated ^= bool((len(word) - len(bare)) % 2)
        if not bare:
            continue
        if bare.lower() in ('or', '||'):
            groups.append([])
            negated = False
            continue
        if bare == '{':
            acl, at = _anonymous(words, at, scope)
        else:
            acl = _named(bare, acls, scope)
        _warn(acl, scope)
        groups[-1].append(Term(acl, negated))
        negated = False
    filled = tuple(tuple(group) for group in groups if group)
    if not filled:
        msg = f"'{words[0]}' expects a condition"
        raise Rejected(msg)
    return Condition(filled, words[0] == 'unless', scope.phase)


def named_condition(words: Sequence[str], scope: Scope) -> Condition:
    """The condition that all of these ACLs hold, each perhaps with a `!` before its name: what the fetch `acl` stands for."""
    if any(word.lstrip('!').lower() in ('', '{', 'or', '||') for word in words):
        msg = 'expects names of ACLs'
        raise Rejected(msg)
    return parse_condition(['if', *words], scope.acls, scope)


def _anonymous(words: Sequence[str], at: int, scope: Scope) -> tuple[Acl, int]:
    try:
        end = list(words).index('}', at)
    except ValueError:
        msg = "missing closing '}' in condition"
        raise Rejected(msg) from None
    if '' in words[at:end]:
        msg = 'empty pattern in condition'
        raise Rejected(msg)
    return Acl('', (parse_test(words[at:end], scope),)), end + 1


def _named(name: str, acls: Mapping[str, Acl], scope: Scope) -> Acl:
    acl = acls.get(name) or PREDEFINED.get(name)
    if acl is not None and name not in acls and scope.references is not None:
        # its first use in a section declares it there, so that what it compares with is a reference, too
        acl = scope.acls[name] = Acl(name, (parse_test(_TEXTS[name].split(), scope),))
    if acl is None:
        msg = f"no such ACL : '{shown(name)}'"
        raise Rejected(msg)
    return acl


def available(test: Test, phase: Phase) -> bool:
    """Can what the test looks at be fetched in that phase?"""
    return phase in AVAILABLE[FETCHES[test.expression.fetch.name].use]


def _warn(acl: Acl, scope: Scope) -> None:
    missing = [test.expression.fetch.name for test in acl.tests if not available(test, scope.phase)]
    if not missing:
        return
    place = scope.phase.value
    if not acl.name:
        text = f"anonymous acl will never match because it uses keyword '{missing[0]}' which is incompatible with '{place}'"
    elif len(missing) == len(acl.tests):
        text = (
            f"acl '{acl.name}' will never match because it only involves keywords that are incompatible with '{place}'"
        )
    else:
        text = f"acl '{acl.name}' involves keyword '{missing[0]}' which is incompatible with '{place}'"
    scope.warnings.append(text)


def rebound(condition: Condition, acls: Mapping[str, Acl]) -> Condition:
    """The condition with its named ACLs as `acls` has them now: lines of an ACL may also follow the rules that name it."""
    groups = tuple(
        tuple(Term(acls.get(term.acl.name, term.acl), term.negated) if term.acl.name else term for term in group)
        for group in condition.groups
    )
    return Condition(groups, condition.unless, condition.phase)


def names_of(condition: Condition) -> list[Named]:
    """Everything a condition's expressions name that has to be looked for elsewhere."""
    tests = (test for group in condition.groups for term in group for test in term.acl.tests)
    return [name for test in tests for name in names_in(test.expression)]


_TEXTS: Final = {
    'TRUE': 'always_true', 'FALSE': 'always_false', 'LOCALHOST': 'src 127.0.0.1/8 ::1', 'HTTP': 'req.proto_http',
    'HTTP_1.0': 'req.ver 1.0', 'HTTP_1.1': 'req.ver 1.1', 'HTTP_2.0': 'req.ver 2.0', 'HTTP_3.0': 'req.ver 3.0',
    'HTTP_CONTENT': 'req.hdr_val(content-length) gt 0', 'HTTP_URL_ABS': 'url_reg ^[^/:]*://', 'HTTP_URL_SLASH': 'url_beg /',
    'HTTP_URL_STAR': 'url *', 'METH_CONNECT': 'method CONNECT', 'METH_DELETE': 'method DELETE', 'METH_GET': 'method GET HEAD',
    'METH_HEAD': 'method HEAD', 'METH_OPTIONS': 'method OPTIONS', 'METH_POST': 'method POST', 'METH_PUT': 'method PUT',
    'METH_TRACE': 'method TRACE', 'REQ_CONTENT': 'req.len gt 0', 'WAIT_END': 'wait_end',
}  # fmt: skip

PREDEFINED: Final[dict[str, Acl]] = {
    name: Acl(name, (parse_test(text.split(), Scope()),)) for name, text in _TEXTS.items()
}
"""The ACLs that need no line (configuration manual 7.4). RDP_COOKIE is left out with the fetch behind it."""
