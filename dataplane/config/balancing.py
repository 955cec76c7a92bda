"""config: how a backend balances: `balance` and the lines that say how a hash is made and kept to (configuration manual 4.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.values import MAX_INT, parse_int
from dataplane.core.model import Balance
from dataplane.rules.expressions import parse_expression
from dataplane.rules.model import Named, Variable
from dataplane.rules.phases import Phase
from dataplane.rules.scope import Scope

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

_PLAIN: Final = ('roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'sticky')
_WORDS: Final = (*_PLAIN, 'random', 'uri', 'url_param', 'hdr', 'hash')
_FETCHES: Final = frozenset((
    'path', 'pathq', 'query', 'url', 'base', 'base32', 'base32+src', 'url32', 'url32+src', 'url_param', 'urlp', 'method', 'src',
    'req.hdr', 'req.fhdr', 'hdr', 'req.hdr_cnt', 'hdr_cnt', 'req.cook', 'cook', 'cookie', 'req.ver', 'str', 'int', 'bool',
))  # fmt: skip
"""What `balance hash` can take its key from: the head of the request, and the client's address."""
_REFUSED: Final = {
    'rdp-cookie': 'it needs tcp mode',
    'log-hash': 'log backends are not supported',
    'log-sticky': 'log backends are not supported',
}
_CALL: Final = re.compile(r'([A-Za-z_-]+)(?:\(([^()]*)\))?')
_FUNCTIONS: Final = ('sdbm', 'djb2', 'wt6', 'crc32', 'none')
_AFFINITIES: Final = ('always', 'maxconn', 'maxqueue')


def parse_balance(line: Line, proxy: ProxyDraft) -> None:
    """`balance`; without an argument the algorithm is roundrobin, as it is for HAProxy. What other lines say of hashes stays."""
    word = line.word(1) or 'roundrobin'
    call = _CALL.fullmatch(word)
    name, argument = call.groups() if call else ('', None)
    if name in _REFUSED:
        msg = f"'balance {shown(word)}' is not supported: {_REFUSED[name]}."
        raise Rejected(msg)
    if name not in _WORDS or (argument is not None and name not in ('random', 'hdr')):
        names = ', '.join(f"'{known}'" for known in (*_PLAIN, 'uri', 'url_param'))
        hint = did_you_mean(word, _WORDS)
        msg = f"balance only supports {names}, 'hdr(<name>)' and 'random(<draws>)' (got '{shown(word)}'){hint}"
        raise Rejected(msg)
    kept = proxy.balance
    plain = Balance(
        algorithm=name, consistent=kept.consistent, function=kept.function, avalanche=kept.avalanche,
        factor=kept.factor, affinity=kept.affinity,
    )  # fmt: skip
    if name == 'uri':
        proxy.balance = _uri(line, plain)
    elif name == 'hash':
        proxy.balance = _hash(line, plain)
    elif name == 'url_param':
        proxy.balance = _url_param(line, plain)
    elif name == 'hdr':
        proxy.balance = _hdr(line, plain, (argument or '').strip())
    else:
        line.at_most(1)
        draws = parse_int(argument, 'balance random', 1) if argument else plain.draws
        proxy.balance = replace(plain, draws=draws)


def _uri(line: Line, balance: Balance) -> Balance:
    words, at = line.words, 2
    while at < len(words):
        word = words[at]
        if word in ('len', 'depth'):
            value = line.word(at + 1)
            try:
                number = parse_int(value, 'balance uri', 1, MAX_INT)
            except Rejected:
                msg = f"balance uri : '{word}' expects a positive integer (got '{shown(value)}')."
                raise Rejected(msg) from None
            balance = replace(balance, length=number) if word == 'len' else replace(balance, depth=number)
            at += 1
        elif word == 'whole':
            balance = replace(balance, whole=True)
        elif word == 'path-only':
            balance = replace(balance, path_only=True)
        else:
            words_known = "'len', 'depth', 'path-only', and 'whole'"
            msg = f"balance uri only accepts parameters {words_known} (got '{shown(word)}')."
            raise Rejected(msg)
        at += 1
    return balance


def _hash(line: Line, balance: Balance) -> Balance:
    if not line.word(2):
        msg = 'balance hash requires a sample expression.'
        raise Rejected(msg)
    try:
        key, end = parse_expression(line.words, 2, Scope(phase=Phase.BACKEND_REQUEST))
    except Rejected as problem:
        msg = f'balance hash : {problem}'
        raise Rejected(msg) from None
    line.at_most(end - 1)
    wanted = [
        call.name for call in key.converters if any(isinstance(what, Variable | Named) for what in call.arguments)
    ]
    if key.fetch.name not in _FETCHES or wanted:
        msg = f"balance hash : '{shown((wanted or [key.fetch.name])[0])}' is not supported here: only what is in the head of a request is."
        raise Rejected(msg)
    return replace(balance, key=key)


def _url_param(line: Line, balance: Balance) -> Balance:
    name, modifier = line.word(2), line.word(3)
    if not name:
        msg = 'balance url_param requires an URL parameter name.'
        raise Rejected(msg)
    if modifier == 'check_post':
        msg = "'balance url_param ... check_post' is not supported: bodies are streamed, never gathered."
        raise Rejected(msg)
    if modifier:
        msg = f"balance url_param only accepts 'check_post' modifier (got '{shown(modifier)}')."
        raise Rejected(msg)
    return replace(balance, name=name)


def _hdr(line: Line, balance: Balance, name: str) -> Balance:
    if not name:
        msg = 'balance hdr requires an http header field name.'
        raise Rejected(msg)
    if line.word(2) not in ('', 'use_domain_only'):
        msg = f"balance hdr({shown(name)}) only accepts 'use_domain_only' modifier (got '{shown(line.word(2))}')."
        raise Rejected(msg)
    line.at_most(2)
    return replace(balance, name=name, domain_only=bool(line.word(2)))


def parse_hash_type(line: Line, proxy: ProxyDraft) -> None:
    """`hash-type METHOD [FUNCTION [avalanche]]`; consistent without a function is sdbm with avalanche."""
    method, function, modifier = line.word(1), line.word(2), line.word(3)
    if method == 'avalanche':
        msg = "'hash-type avalanche' is not supported anymore, please use 'hash-type map-based sdbm avalanche' instead."
        raise Rejected(msg)
    if method not in ('consistent', 'map-based'):
        msg = f"'hash-type' only supports 'consistent' and 'map-based' (got '{shown(method)}')."
        raise Rejected(msg)
    if function and function not in _FUNCTIONS:
        msg = f"'hash-type' only supports 'sdbm', 'djb2', 'crc32', 'wt6' and 'none' hash functions (got '{shown(function)}')."
        raise Rejected(msg)
    if modifier not in ('', 'avalanche'):
        msg = f"'hash-type' only supports 'avalanche' as a modifier for hash functions (got '{shown(modifier)}')."
        raise Rejected(msg)
    line.at_most(3)
    consistent = method == 'consistent'
    proxy.balance = replace(
        proxy.balance, consistent=consistent, function=function or 'sdbm',
        avalanche=bool(modifier) or (consistent and not function),
    )  # fmt: skip


def parse_factor(line: Line, proxy: ProxyDraft) -> None:
    """`hash-balance-factor`: in hundredths of the mean load, 0 for none."""
    line.at_most(1)
    factor = parse_int(line.word(1), 'hash-balance-factor', 0)
    if 0 < factor <= 100:
        msg = "'hash-balance-factor' must be 0 or greater than 100."
        raise Rejected(msg)
    proxy.balance = replace(proxy.balance, factor=factor)


def parse_affinity(line: Line, proxy: ProxyDraft) -> None:
    """`hash-preserve-affinity`: what a request keeps to its server for."""
    line.at_most(1)
    if line.word(1) not in _AFFINITIES:
        words = ', '.join(f"'{word}'" for word in _AFFINITIES)
        msg = f"'hash-preserve-affinity' only supports {words} (got '{shown(line.word(1))}')."
        raise Rejected(msg)
    proxy.balance = replace(proxy.balance, affinity=line.word(1))
