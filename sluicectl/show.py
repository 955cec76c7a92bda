"""Tables and lines for people; the same documents as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {
    'ready': 'green', 'drain': 'yellow', 'maint': 'red', 'done': 'green', 'pending': 'yellow', 'superseded': 'red',
    'refused': 'red', 'unreachable': 'red', 'yes': 'green', 'no': 'red', 'held back': 'red',
}  # fmt: skip


def as_json(console: Console, document: Any) -> None:
    """One document, readable and parseable, never wrapped or coloured."""
    console.out(json.dumps(document, indent=2, sort_keys=True), highlight=False)


def line(document: Any) -> str:
    """One document on one line, for streams."""
    return json.dumps(document, sort_keys=True)


def table(console: Console, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table; words that mean a state have a colour on a terminal."""
    made = Table(box=None, pad_edge=False, header_style='bold')
    for head in heads:
        made.add_column(head, no_wrap=True)
    for row in rows:
        made.add_row(*(Text(str(cell), COLOURS.get(str(cell), '')) for cell in row))
    console.print(made)


def backends(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """Backends."""
    rows = [
        (b['name'], b['balance'], b['serverCount'], b['retries'], b['timeouts']['queue'] or '-', b['version'])
        for b in items
    ]
    table(console, ['BACKEND', 'BALANCE', 'SERVERS', 'RETRIES', 'QUEUE ms', 'VERSION'], rows)


def servers(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """Servers, with what the data planes report of them."""
    rows = [
        (
            f'{s["backend"]}/{s["name"]}',
            f'{s["address"]}:{s["port"]}',
            _state(s),
            s['weight'],
            s['maxConn'] or '-',
            s['status']['inFlight'],
            s['status']['queued'],
            ' '.join(s['status']['drainedOn']) or '-',
            s['version'],
        )
        for s in items
    ]
    table(
        console,
        ['SERVER', 'ADDRESS', 'STATE', 'WEIGHT', 'MAXCONN', 'IN FLIGHT', 'QUEUED', 'DRAINED ON', 'VERSION'],
        rows,
    )


def _state(server: Mapping[str, Any]) -> str:
    """The state that is wanted, what was set on data planes' own sockets, and where something else keeps a ready server out."""
    wanted: str = server['adminState']
    local = server['status'].get('localOverrides', {})
    others = [f'{_words(found)} set on {name}' for name, found in local.items()]
    if wanted == 'ready':
        states = server['status']['states'].items()
        others += [
            f'{state} on {name}' for name, state in states if _is_out(state) and 'state' not in local.get(name, {})
        ]
    return f'{wanted} ({", ".join(others)})' if others else wanted


def _words(local: Mapping[str, str]) -> str:
    """What was set on one data plane's socket."""
    return ', '.join(value if setting == 'state' else f'{setting} {value}' for setting, value in sorted(local.items()))


def _is_out(state: str) -> bool:
    return state.startswith(('MAINT', 'DRAIN'))


def dataplanes(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """Data planes."""
    rows = []
    for plane in items:
        ack = plane['lastAck']
        pause = '-' if ack is None else f'{ack["pauseUs"]} us'
        rows.append((
            plane['id'], _link(plane), plane['version'],
            '?' if plane['lag'] is None else plane['lag'], pause, plane['workers'] if plane['workers'] is not None else '-',
            plane['stateHash'][:12] or '-', ' '.join(plane['quarantined']) or '-',
        ))  # fmt: skip
    table(console, ['DATA PLANE', 'CONNECTED', 'VERSION', 'LAG', 'LAST PAUSE', 'WORKERS', 'STATE', 'QUARANTINED'], rows)


def _link(plane: Mapping[str, Any]) -> str:
    return 'held back' if plane['heldBack'] else 'yes' if plane['connected'] else 'no'


def operations(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """Operations, newest first."""
    rows = [(o['id'], o['version'], o['state'], o['goal'], o['verb'], o['actor'], time(o['ts'])) for o in items]
    table(console, ['OPERATION', 'VERSION', 'STATE', 'GOAL', 'VERB', 'BY', 'AT'], rows)


def event(console: Console, document: Mapping[str, Any]) -> None:
    """One line per event, and one per thing it changed."""
    if 'changes' not in document:
        console.print(Text(f'{document["version"]}  (what came before is no longer kept)', 'yellow'))
        return
    line = f'{document["version"]:>8}  {time(document["ts"])}  {document["actor"]}  {document["verb"]}'
    names = [_subject(change) for change in document['changes']]
    console.print(Text(f'{line}  {", ".join(names)}'), soft_wrap=True)


def _subject(change: Mapping[str, Any]) -> str:
    name = change.get('id') or '/'.join(part for part in (change.get('backend'), change.get('name')) if part)
    return f'{change["kind"]} {name}' + (' removed' if change['spec'] is None else '')


def outcome(console: Console, operation: Mapping[str, Any]) -> None:
    """What became of an operation that was waited for."""
    console.print(Text.assemble(
        f'{", ".join(operation["targets"][:5])}: {operation["verb"]} at {operation["version"]}: ',
        (operation['state'], COLOURS.get(operation['state'], '')),
    ))  # fmt: skip
    for plane in operation['dataplanes']:
        words = f' (workers passed over: {plane["missing"]})' if plane.get('missing') else ''
        words += f' ({plane["code"]}: {plane["detail"]})' if 'code' in plane else ''
        console.print(Text.assemble(f'  {plane["id"]}: ', (plane['state'], COLOURS.get(plane['state'], '')), words))


def time(ts: int) -> str:
    """Wall-clock milliseconds as local time of day with its date."""
    return datetime.fromtimestamp(ts / 1000, UTC).astimezone().strftime('%Y-%m-%d %H:%M:%S')
