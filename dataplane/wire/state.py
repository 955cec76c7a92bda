"""The pushed state: what the control plane wants of every data plane, as one plain JSON document.

Shape (there are no defaults on the wire; every field is always present, but for `share` and `shareDue`)::

    {"backends": {NAME: {"balance", "retries", "redispatch", "fullconn", "allbackups",
                         "timeouts": {"connect", "server", "queue", "tunnel"},       milliseconds or null (not limited)
                         "servers": {NAME: {"address", "port", "weight", "maxConn", "minConn", "maxQueue",
                                            "backup", "adminState", "sessionGeneration", "share", "shareDue"}}}},
     "routes": {ID: {"host", "pathPrefix", "backend"}}}

0 means *unlimited* for maxConn and maxQueue, *static limit* for minConn, *let the data plane work it out* for fullconn and
*off* for redispatch (N > 0: every N-th retry, -N: the N-th retry before the last). Servers of a backend have no order of
their own: whoever needs one takes the order of their names. There are no floats, so that the canonical text is one text.

With `share` a server's maxConn is a limit over all data planes together, and the receiver may use `share` of it: 0 means *none
here*, never unlimited, and `shareDue` with it (always true) that some are to come. Without it maxConn is each one's own.

A **change** sets one thing to an absolute value, or removes it when `spec` is None::

    {"kind": "backend", "name": NAME, "spec": {everything above but "servers"} | None}
    {"kind": "server", "backend": NAME, "name": NAME, "spec": {...} | None}
    {"kind": "route", "id": ID, "spec": {...} | None}

What must hold, and is tested: a state is never altered in place; `fold` shares every part it does not change (so that
keeping an old state is cheap); `fold(old, diff(old, new)) == new`; applying a list of changes twice is applying it once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

State = Mapping[str, Any]
Change = Mapping[str, Any]

NAME = re.compile(r'[A-Za-z0-9_.:-]{1,128}\Z')
MAX_SERVERS = 16_384
"""Of one data plane: its board has rows for no more."""
MAX_ROUTES = 16_384
_ADDRESS = re.compile(r'[A-Za-z0-9_.:%-]{1,255}\Z')
_HOST = re.compile(r'(|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])\Z')
_PREFIX = re.compile(r'/[!-"$->@-~]{0,1023}\Z')
_BALANCE = re.compile(r'(roundrobin|static-rr|leastconn|first|source|sticky|random(\([1-9][0-9]{0,2}\))?)\Z')
_ADMIN = re.compile(r'(ready|drain|maint)\Z')
_COUNT = (0, 2**31 - 1)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(',', ':'), allow_nan=False)

# field -> a pattern (text), a range (integer), or bool
_FIELDS: dict[str, dict[str, re.Pattern[str] | tuple[int, int] | type[bool]]] = {
    'backend': {
        'balance': _BALANCE,
        'retries': (0, 100),
        'redispatch': (-100, 100),
        'fullconn': _COUNT,
        'allbackups': bool,
    },
    'server': {
        'address': _ADDRESS,
        'port': (1, 65_535),
        'weight': (0, 256),
        'maxConn': _COUNT,
        'minConn': _COUNT,
        'maxQueue': _COUNT,
        'backup': bool,
        'adminState': _ADMIN,
        'sessionGeneration': (0, 2**62),
        'share': _COUNT,
        'shareDue': bool,
    },
    'route': {'host': _HOST, 'pathPrefix': _PREFIX, 'backend': NAME},
}
_OPTIONAL = frozenset({'share', 'shareDue'})
TIMEOUTS = ('connect', 'server', 'queue', 'tunnel')


def empty() -> State:
    """The state of a control plane that was never told anything."""
    return {'backends': {}, 'routes': {}}


def fold(state: State, changes: Iterable[Change]) -> State:
    """The state after `changes`, in their order. ValueError: a change is malformed, or names a backend that is not there.

    Removing what is not there is no error (redelivery is harmless). A backend's change keeps its servers.
    """
    changes = tuple(changes)
    for _, text in faults(changes):
        raise ValueError(text)
    return fold_checked(state, changes)


def fold_checked(state: State, changes: Iterable[Change]) -> State:
    """As `fold`, of changes in which `faults` has found nothing."""
    backends, routes = dict(state['backends']), state['routes']
    own: set[str] = set()
    for change in changes:
        kind, spec = change['kind'], change['spec']
        if kind == 'route':
            if routes is state['routes']:
                routes = dict(routes)
            _put(routes, change['id'], spec)
        elif kind == 'backend':
            servers = backends.get(change['name'], {}).get('servers', {})
            _put(backends, change['name'], None if spec is None else {**spec, 'servers': servers})
            own.discard(change['name'])
        elif change['backend'] in backends:
            _put(_servers_to_write(backends, change['backend'], own), change['name'], spec)
        elif spec is not None:
            raise ValueError(f'server {change["backend"]}/{change["name"]}: there is no such backend')
    return {'backends': backends, 'routes': routes}


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _servers_to_write(backends: dict[str, Any], name: str, own: set[str]) -> dict[str, Any]:
    """The servers of a backend, copied the first time this fold touches them (`own` holds the names already copied)."""
    if name not in own:
        own.add(name)
        backends[name] = {**backends[name], 'servers': dict(backends[name]['servers'])}
    servers: dict[str, Any] = backends[name]['servers']
    return servers


def diff(old: State, new: State) -> list[Change]:
    """The shortest list of changes from `old` to `new`, in an order `fold` accepts. Shared parts cost nothing."""
    changes: list[Change] = []
    before, after = old['backends'], new['backends']
    for name in sorted(after):
        if before.get(name) is not after[name]:
            changes += _backend_diff(name, before.get(name), after[name])
    changes += ({'kind': 'backend', 'name': name, 'spec': None} for name in sorted(before) if name not in after)
    if old['routes'] is not new['routes']:
        for key, spec in _table_diff(old['routes'], new['routes']):
            changes.append({'kind': 'route', 'id': key, 'spec': spec})
    return changes


def _backend_diff(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Iterator[Change]:
    spec = {key: value for key, value in new.items() if key != 'servers'}
    if old is None or spec != {key: value for key, value in old.items() if key != 'servers'}:
        yield {'kind': 'backend', 'name': name, 'spec': spec}
    servers = {} if old is None else old['servers']
    if servers is not new['servers']:
        for server, value in _table_diff(servers, new['servers']):
            yield {'kind': 'server', 'backend': name, 'name': server, 'spec': value}


def _table_diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) is not new.get(key) and old.get(key) != new.get(key):
            yield key, new.get(key)


def canonical(document: Any) -> str:
    """The one text of a JSON document: sorted keys, no spaces, ASCII, no floats that are not numbers."""
    return _CANONICAL.encode(document)


def digest(state: State) -> str:
    """SHA-256 of the canonical text, in hexadecimal: two states are equal if and only if their digests are."""
    return hashlib.sha256(canonical(state).encode('ascii')).hexdigest()


def check(state: Any) -> list[str]:
    """Everything that is wrong with a whole state, in words; empty: it may be used."""
    if not isinstance(state, Mapping) or state.keys() != {'backends', 'routes'}:
        return ['the state is not an object with exactly backends and routes']
    tables = [state['backends'], state['routes']]
    tables += [b.get('servers') for b in _values(state['backends']) if isinstance(b, Mapping)]
    if not all(isinstance(table, Mapping) for table in tables):
        return ['backends, routes and the servers of each backend must be objects']
    if not all(isinstance(backend, Mapping) for backend in state['backends'].values()):
        return ['each backend must be an object']
    return [text for _, text in faults(diff(empty(), state))] + limits(state) + twins(state['routes'])


def _values(table: Any) -> Iterable[Any]:
    return table.values() if isinstance(table, Mapping) else ()


def limits(state: State) -> list[str]:
    """Whether there is more of anything than a data plane can hold, in words."""
    servers = sum(len(backend['servers']) for backend in state['backends'].values())
    problems = [] if servers <= MAX_SERVERS else [f'{servers} servers are more than {MAX_SERVERS}']
    if len(state['routes']) > MAX_ROUTES:
        problems.append(f'{len(state["routes"])} routes are more than {MAX_ROUTES}')
    return problems


def twins(routes: Mapping[str, Any]) -> list[str]:
    """Routes that match the very same requests as another one, in words."""
    seen: dict[tuple[str, str], str] = {}
    problems = []
    for key in sorted(routes):
        if not isinstance(routes[key], Mapping):
            continue
        match = (str(routes[key].get('host')), str(routes[key].get('pathPrefix')).rstrip('/') or '/')
        if seen.setdefault(match, key) != key:
            problems.append(
                f'route {key}: host {match[0]!r} with prefix {match[1]!r} is already matched by route {seen[match]}'
            )
    return problems


def faults(changes: Iterable[Any]) -> list[tuple[str | None, str]]:
    """What is wrong with each change alone, as (backend at fault or None, words). A data plane's nack names those backends."""
    found: list[tuple[str | None, str]] = []
    for change in changes:
        head = _head(change)
        if isinstance(head, str):
            found.append((None, head))
            continue
        kind, backend, label = head
        if change['spec'] is not None:
            found += ((backend, f'{label}: {text}') for text in _spec_faults(kind, change['spec']))
    return found


def _head(change: Any) -> tuple[str, str | None, str] | str:
    """(kind, backend, how to call it) of a change, or what is wrong with its envelope."""
    if not isinstance(change, Mapping):
        return f'a change must be an object, not {type(change).__name__}'
    keys = {'backend': ('name',), 'server': ('backend', 'name'), 'route': ('id',)}.get(str(change.get('kind')))
    if keys is None:
        return f'a change of unknown kind {change.get("kind")!r}'
    if change.keys() != {'kind', 'spec', *keys}:
        return f'a {change["kind"]} change must have exactly kind, spec, {", ".join(keys)}'
    for key in keys:
        if not isinstance(change[key], str) or not NAME.match(change[key]):
            return f'a {change["kind"]} change has an invalid {key}: {change[key]!r}'
    backend = None if change['kind'] == 'route' else change[keys[0]]
    return change['kind'], backend, f'{change["kind"]} {"/".join(change[key] for key in keys)}'


def _spec_faults(kind: str, spec: Any) -> Iterator[str]:
    if not isinstance(spec, Mapping):
        yield f'must be an object, not {type(spec).__name__}'
        return
    fields = _FIELDS[kind]
    wanted = {*fields, 'timeouts'} if kind == 'backend' else set(fields)
    yield from (f'unknown field {key!r}' for key in sorted(map(str, spec.keys() - wanted)))
    yield from (f'field {key!r} is missing' for key in sorted(wanted - _OPTIONAL - spec.keys()))
    bad = [key for key in fields if key in spec and not _fits(fields[key], spec[key])]
    yield from (f'{key} has an invalid value {spec[key]!r}' for key in bad)
    if 'timeouts' in wanted & spec.keys():
        yield from _timeout_faults(spec['timeouts'])
    if kind == 'server' and not {'minConn', 'maxConn'} & ({*bad} | (wanted - spec.keys())):
        if spec['minConn'] > spec['maxConn']:
            yield f'minConn {spec["minConn"]} is above maxConn {spec["maxConn"]}'
    if _OPTIONAL & spec.keys() and not _OPTIONAL & {*bad} and not _is_share(spec):
        yield f'share {spec.get("share")!r}, due {spec.get("shareDue")!r}, is none of maxConn {spec.get("maxConn")!r}'


def _is_share(spec: Mapping[str, Any]) -> bool:
    """Whether a server's share is one of its limit, and due only where there is none."""
    if 'share' not in spec or not _fits(_COUNT, spec.get('maxConn')):
        return False
    return bool(0 <= spec['share'] <= spec['maxConn'] and spec['maxConn']) and (
        'shareDue' not in spec or (spec['shareDue'] and not spec['share'])
    )


def _timeout_faults(timeouts: Any) -> Iterator[str]:
    if not isinstance(timeouts, Mapping) or timeouts.keys() != set(TIMEOUTS):
        yield f'timeouts must be an object with exactly {", ".join(TIMEOUTS)}'
        return
    for key in TIMEOUTS:
        if timeouts[key] is not None and not _fits((1, 2**31 - 1), timeouts[key]):
            yield f'timeouts.{key} has an invalid value {timeouts[key]!r}'


def _fits(rule: re.Pattern[str] | tuple[int, int] | type[bool], value: Any) -> bool:
    if isinstance(rule, tuple):
        return type(value) is int and rule[0] <= value <= rule[1]
    if isinstance(rule, re.Pattern):
        return isinstance(value, str) and rule.match(value) is not None
    return isinstance(value, bool)
