"""The statistics page for people: one document with its style in it, and nothing else: no script, no image, no request more.

Everything that is shown as text goes through `escape`; numbers are numbers. It is drawn in pieces, a row at a time, so that the
supervisor's loop goes on between them. Measured with 5 000 servers: 0.50 s of the supervisor's CPU to gather their figures, 0.14 s to
draw them (which is not a worker's time), 2.6 MB, and 70 kB when compressed.

A bar is drawn beside its numbers, never instead of them, and is hidden from screen readers; a state is a word, with a sign and a
colour that say the same. What can be done by mouse can be done by keyboard: links, check boxes, a choice and a button.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from typing import Final
from urllib.parse import parse_qsl

from dataplane.cli.fields import Value
from dataplane.cli.info import uptime
from dataplane.cli.stat import Kind, Row
from dataplane.rules.statspage import StatsPage
from dataplane.supervisor.pageadmin import ACTIONS, Said
from dataplane.supervisor.pageask import MOST_SCOPE, Options, Shape

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#17202a;--soft:#55616e;--line:#d5dbe1;--accent:#0b57a4;--track:#e3e8ed;
--bar:#3b82c4;--hot:#c2410c;--up:#17692e;--down:#b3261e;--maint:#7a4b00;--drain:#5b3aa8;--note:#e8f1fb}
@media(prefers-color-scheme:dark){:root{--bg:#11161b;--card:#192027;--ink:#e4eaf0;--soft:#a3b0bd;--line:#303a44;--accent:#8ab8f0;
--track:#2c3640;--bar:#4f93d2;--hot:#f0843c;--up:#6fcf88;--down:#ff8d84;--maint:#e5b55a;--drain:#bda4ff;--note:#1c2a3a}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,sans-serif}
header,main{padding:.8rem 1.2rem}a{color:var(--accent)}h1{font-size:1.35rem;margin:0}h2{font-size:1.05rem;margin:0}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem;z-index:9}
:focus-visible{outline:3px solid var(--accent);outline-offset:1px}
.soft,small{color:var(--soft)}small{font-size:.86em;white-space:nowrap}p{margin:.3rem 0}
.said{background:var(--note);border-left:4px solid var(--accent);padding:.5rem .8rem}
.sums{display:flex;flex-wrap:wrap;gap:.5rem;margin:.7rem 0;padding:0;list-style:none}
.sums li{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.35rem .8rem}
.sums b{font-size:1.15rem;margin-right:.3rem;font-variant-numeric:tabular-nums}
.bar{display:flex;flex-wrap:wrap;gap:.5rem .9rem;align-items:center;margin:.4rem 0;padding:0;border:0}
input,select,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);border-radius:4px;padding:.2rem .5rem}
input[type=checkbox]{width:1.1rem;height:1.1rem;accent-color:var(--accent);margin:.1rem}button{cursor:pointer}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0 0 1rem;padding:.7rem .9rem;overflow-x:auto;
content-visibility:auto;contain-intrinsic-size:auto 220px}
table{border-collapse:collapse;width:100%;margin:.5rem 0 0;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.86em}
th,td{padding:.2rem .4rem;text-align:right;border-top:1px solid var(--line);white-space:nowrap;vertical-align:top}
thead th{font-weight:600;color:var(--soft);border:0;vertical-align:bottom;white-space:normal}thead small{white-space:normal;font-weight:400}
tbody th,tfoot th,th.l,td.l{text-align:left;font-weight:400}tfoot th,tfoot td{font-weight:600;border-top:2px solid var(--line)}
tbody tr:hover{background:var(--note)}
.b{display:block;width:5.5rem;height:.35rem;margin:.15rem 0 0 auto;border-radius:2px;
background:linear-gradient(90deg,var(--bar) var(--p),var(--track) var(--p))}.b.hot{--bar:var(--hot)}
.s{font-weight:600}.up{color:var(--up)}.down{color:var(--down)}.maint{color:var(--maint)}.drain{color:var(--drain)}
form.do .bar{position:sticky;bottom:0;left:0;background:var(--card);border-top:1px solid var(--line);padding:.5rem 0;margin:0}
@media(forced-colors:active){.b{border:1px solid}}@media print{form .bar,.skip,nav{display:none}}
"""
_STATES: Final = {
    'DOWN': ('down', '\u25bc'), 'STOP': ('down', '\u25a0'), 'MAINT': ('maint', '\u25a0'), 'DRAIN': ('drain', '\u25c6'),
    'NOLB': ('drain', '\u25c6'), 'FULL': ('drain', '\u25c6'), 'UP': ('up', '\u25b2'), 'OPEN': ('up', '\u25b2'), 'no': ('up', '\u25cf'),
}  # fmt: skip
"""By the first word of a state: its class, and a sign for who does not tell colours apart."""
_WORDS: Final = (('up', 'up'), ('drain', 'draining'), ('maint', 'in maintenance'), ('down', 'down'))
_HOT: Final = 80
_FRONT: Final = (Kind.FRONTEND, Kind.LISTENER)
"""What accepts; its listening addresses have rows where `option socket-stats` asks for them."""
_HEADS: Final = (
    ('State', ''), ('Weight', ''), ('Queue', 'now / limit, most'), ('In use', 'now / limit, most'), ('Rate', 'per second, most'),
    ('Total', 'sessions'), ('Bytes in', ''), ('Bytes out', ''), ('2xx', ''), ('3xx', ''), ('4xx', ''), ('5xx', ''),
    ('Errors', 'connect, answer'), ('Again', 'retries, redispatches'), ('ms', 'queue, connect, answer, all'),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one visitor sees. `token`: what their forms carry; None: they may change nothing."""

    page: StatsPage
    options: Options
    info: dict[str, Value]
    token: str | None = None


def draw(rows: Iterable[Row], sight: Sight) -> Iterator[str]:
    """The page, in pieces: a head with sums, then a section with a table for each proxy."""
    rows = list(rows)
    yield from _head(rows, sight)
    for proxy, found in groupby(rows, key=lambda row: (row.iid, row.proxy)):
        yield from _section(proxy[0], list(found), sight)
    if not rows:
        yield '<p>No proxy is shown: none has such a name, or none is within what this page shows.</p>'
    yield '</main></body></html>\n'


def _head(rows: list[Row], sight: Sight) -> Iterator[str]:
    page, options, info = sight.page, sight.options, sight.info
    of = f' of {escape(page.node)}' if page.node else ''
    refresh = page.refresh and not options.norefresh
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>Statistics{of}</title><style>{_STYLE}</style></head><body><a class="skip" href="#main">Skip to the proxies</a>'
        f'<header><h1>Statistics{of}</h1>'
    )
    if page.description:
        yield f'<p>{escape(page.description)}</p>'
    version = f'Sluice {escape(str(info["Version"]))}, up' if page.version else 'Up'
    yield (
        f'<p class="soft">{version} {escape(str(info["Uptime"]))}, {_n(info["Nbthread"])} workers. '
        f'{_n(info["CurrConns"])} of {_n(info["Maxconn"])} connections, {_n(info["ConnRate"])} new per second, '
        f'{_n(info["CurrStreams"])} requests under way.</p>'
    )
    if options.said:
        known = options.said in Said.__members__
        text = Said(options.said).told if known else 'Nothing is known of what became of that.'
        there = escape(replace(options, said='').address(page.uri))
        yield f'<p class="said" role="status">{text} <a href="{there}">Take this away</a></p>'
    yield from _sums(rows)
    yield from _controls(sight, refreshing=bool(refresh))
    yield '</header><main id="main" tabindex="-1">'


def _sums(rows: list[Row]) -> Iterator[str]:
    states = Counter(_state(row)[0] for row in rows if row.kind is Kind.SERVER)
    queued = sum(_int(row, 'qcur') for row in rows if row.kind is not Kind.FRONTEND)
    used = sum(_int(row, 'scur') for row in rows if row.kind is Kind.SERVER)
    yield f'<ul class="sums" aria-label="All proxies"><li><b>{_n(states.total())}</b>servers</li>'
    for name, word in _WORDS:
        if name == 'up' or states[name]:
            yield f'<li><b class="{name}">{_n(states[name])}</b>{word}</li>'
    yield f'<li><b>{_n(queued)}</b>requests in queues</li><li><b>{_n(used)}</b>slots in use</li></ul>'


def _controls(sight: Sight, *, refreshing: bool) -> Iterator[str]:
    """What is shown, and in which form: a form in the sense of HTML, so that no script is needed, and links."""
    page, options = sight.page, replace(sight.options, said='')
    path, mark, query = page.uri.partition('?')
    hidden = ''.join(_hidden(name, value) for name, value in parse_qsl(query, keep_blank_values=True)) if mark else ''
    if options.norefresh:
        hidden += _hidden('norefresh', '1')
    chosen = 'up' if options.up else 'no-maint' if options.no_maint else 'problems' if options.problems else ''
    choices = ''.join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{text}</option>'
        for value, text in (
            ('', 'all servers'),
            ('up', 'only what is up'),
            ('no-maint', 'all but maintenance'),
            ('problems', 'only what needs a look'),
        )
    )
    yield (
        f'<form class="bar" role="search" method="get" action="{escape(path)}">{hidden}'
        f'<label>Proxies named <input name="scope" maxlength="{MOST_SCOPE}" value="{escape(options.scope)}" size="18"></label>'
        f'<label>Show <select name="show">{choices}</select></label><button>Show</button></form><nav class="bar" aria-label="This page">'
    )
    if page.refresh:
        other = escape(replace(options, norefresh=refreshing).address(page.uri))
        text = f'Comes anew every {page.refresh} s: stop that' if refreshing else f'Come anew every {page.refresh} s'
        yield f'<a href="{other}">{text}</a>'
    yield f'<a href="{escape(options.address(page.uri))}">Refresh</a>'
    for shape, text in ((Shape.CSV, 'CSV'), (Shape.JSON, 'JSON'), (Shape.SCHEMA, 'JSON schema')):
        yield f'<a href="{escape(replace(options, shape=shape).address(page.uri))}">{text}</a>'
    yield '</nav>'


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


# -- a proxy --------------------------------------------------------------------------------------------------------------


def _section(iid: int, rows: list[Row], sight: Sight) -> Iterator[str]:
    name = escape(rows[0].proxy)
    about = next((row.description for row in rows if row.description), '')
    servers = [row for row in rows if row.kind is Kind.SERVER]
    acts = sight.token is not None and bool(servers)
    yield f'<section aria-labelledby="p{iid}"><h2 id="p{iid}">{name}</h2>'
    if about:
        yield f'<p class="soft">{escape(about)}</p>'
    if acts:
        here = escape(replace(sight.options, said='').address(sight.page.uri))
        yield f'<form class="do" method="post" action="{here}">'
    yield _table_head(name, servers, acts=acts)
    for row in rows:
        if row.kind in _FRONT:
            of = 'Frontend' if row.kind is Kind.FRONTEND else escape(str(row.values['svname']))
            yield f'<tr>{"<td></td>" if acts else ""}<th scope="row">{of}</th>{_cells(row)}</tr>'
    for row in servers:
        yield _server(row, sight, acts=acts)
    yield '</tbody><tfoot>'
    for row in rows:
        if row.kind is Kind.BACKEND:
            algo = (
                f' <small>{escape(str(row.values["algo"]))}</small>'
                if sight.page.legends and 'algo' in row.values
                else ''
            )
            yield f'<tr>{"<td></td>" if acts else ""}<th scope="row">Backend{algo}</th>{_cells(row)}</tr>'
    yield '</tfoot></table>'
    if acts and sight.token is not None:
        yield _actions(rows[0].proxy, sight.token)
    yield '</section>\n'


def _table_head(name: str, servers: list[Row], *, acts: bool) -> str:
    states = Counter(_state(row)[0] for row in servers)
    told = ', '.join(f'{_n(states[key])} {word}' for key, word in _WORDS if states[key])
    caption = f'{name}: {_n(len(servers))} servers{", " if told else ""}{told}' if servers else name
    heads = ''.join(
        f'<th scope="col"{" class=l" if title == "State" else ""}>{title}{f"<br><small>{small}</small>" if small else ""}</th>'
        for title, small in _HEADS
    )
    choose = '<th scope="col" class="l">Choose</th>' if acts else ''
    return f'<table><caption>{caption}</caption><thead><tr>{choose}<th scope="col" class="l">Name</th>{heads}</tr></thead><tbody>'


def _server(row: Row, sight: Sight, *, acts: bool) -> str:
    values = row.values
    name = escape(str(values['svname']))
    box = ''
    if acts:
        label = f'{escape(row.proxy)}/{name}'
        box = f'<td class="l"><input type="checkbox" name="s" value="{name}" aria-label="{label}"></td>'
    notes = ['backup'] if values.get('bck') else []
    if sight.page.legends:
        notes += [str(values[column]) for column in ('addr', 'cookie') if values.get(column)]
    small = f'<br><small>{escape(", ".join(notes))}</small>' if notes else ''
    return f'<tr>{box}<th scope="row">{name}{small}</th>{_cells(row)}</tr>\n'


def _actions(proxy: str, token: str) -> str:
    """What can be done. The form has the backend's name, not its number, which may be another one's once it is sent."""
    options = ''.join(f'<option value="{action}">{text}</option>' for action, (text, _) in ACTIONS.items())
    return (
        f'<div class="bar" role="group" aria-label="With the chosen servers of {escape(proxy)}"><label>With the chosen servers '
        f'<select name="action"><option value=""></option>{options}</select></label><button>Apply</button>'
        f'{_hidden("b", proxy)}{_hidden("token", token)}</div></form>'
    )


# -- a row ----------------------------------------------------------------------------------------------------------------


def _cells(row: Row) -> str:
    at = row.values.get
    if row.kind in _FRONT:
        queue, errors, again, times = '<td></td>', f'{_n(at("ereq", 0))}', '', ''
    else:
        queue = _gauge(at('qcur', 0), at('qlimit'), at('qmax', 0))
        errors = f'{_n(at("econ", 0))}, {_n(at("eresp", 0))}'
        again = f'{_n(at("wretr", 0))}, {_n(at("wredis", 0))}'
        times = ', '.join(_n(at(column, 0)) for column in ('qtime', 'ctime', 'rtime', 'ttime'))
    codes = ''.join(f'<td>{_n(at(column, ""))}</td>' for column in ('hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx'))
    rates = f'{_n(at("rate", 0))}, {_n(at("rate_max", 0))}' if 'rate' in row.values else ''
    return (
        f'<td class="l">{_told_state(row)}</td><td>{_n(at("weight", ""))}</td>{queue}'
        f'{_gauge(at("scur", 0), at("slim"), at("smax", 0))}<td>{rates}</td>'
        f'<td>{_n(at("stot", 0))}</td><td>{_n(at("bin", 0))}</td><td>{_n(at("bout", 0))}</td>{codes}'
        f'<td>{errors}</td><td>{again}</td><td>{times}</td>'
    )


def _gauge(now: Value, limit: Value | None, most: Value) -> str:
    """A bar and its numbers; without a limit there is nothing to draw a share of."""
    if not isinstance(now, int) or not isinstance(limit, int) or limit <= 0:
        return f'<td>{_n(now)}<small>, {_n(most)}</small></td>'
    share = min(100, 100 * now // limit)
    hot = ' hot' if share >= _HOT else ''
    return f'<td>{_n(now)} / {_n(limit)}<small>, {_n(most)}</small><i class="b{hot}" style="--p:{share}%" aria-hidden="true"></i></td>'


def _state(row: Row) -> tuple[str, str]:
    return _STATES.get(str(row.values['status']).split(' ', 1)[0], ('up', '\u25cf'))


def _told_state(row: Row) -> str:
    values = row.values
    name, sign = _state(row)
    text = f'<span class="s {name}"><span aria-hidden="true">{sign}</span> {escape(str(values["status"]))}</span>'
    notes = []
    since = values.get('lastchg')
    if isinstance(since, int):
        notes.append(f'for {uptime(since).removeprefix("0d ")}')
    throttle = values.get('throttle')
    if isinstance(throttle, int) and throttle < 100:
        notes.append(f'slow start {throttle}%')
    for status, code, took, last in _CHECKS:
        if values.get(status):
            found = f'{values[status]}{f"/{values[code]}" if values.get(code) else ""} in {values.get(took, 0)} ms'
            notes.append(f'{found} ({values[last]})' if values.get(last) else found)
    return f'{text}<br><small>{escape(", ".join(notes))}</small>' if notes else text


_CHECKS: Final = (
    ('check_status', 'check_code', 'check_duration', 'last_chk'),
    ('agent_status', 'agent_code', 'agent_duration', 'last_agt'),
)


def _int(row: Row, column: str) -> int:
    value = row.values.get(column, 0)
    return value if isinstance(value, int) else 0


def _n(value: Value) -> str:
    """A number in groups of three, parted by a narrow blank that does not break."""
    return f'{value:,}'.replace(',', '\u202f') if isinstance(value, int) else escape(str(value))


def needs_a_look(row: Row) -> bool:
    """Is this a server that is not simply up, or one that requests wait for?"""
    status = str(row.values['status'])
    return row.kind is not Kind.SERVER or status not in ('UP', 'no check') or _int(row, 'qcur') > 0
