"""`show stat`: the columns, which rows are asked for, and their three forms.

The 119 columns, in this order, are those of HAProxy's development tree of August 2026; `-` ends them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from dataplane.cli.fields import Field, Form, Value, csv_value, described, present, table, to_json
from dataplane.cli.session import Complaint

COLUMNS: Final = table("""
pxname KNS str Name of the proxy
svname KNS str FRONTEND, BACKEND, or the name of the server
qcur MGP u32 Requests waiting in the queue now
qmax MMP u32 Most requests that ever waited in the queue
scur MGP u32 Sessions open now
smax MMP u32 Most sessions that were ever open at once
slim CLP u32 maxconn of a frontend or server, fullconn of a backend
stot MCP u64 Sessions since the start
bin MCP u64 Bytes of requests
bout MCP u64 Bytes of responses
dreq MCP u64 Requests denied
dresp MCP u64 Responses denied
ereq MCP u64 Requests that were not valid
econ MCP u64 Connections to a server that could not be made
eresp MCP u64 Responses that were not valid
wretr MCP u64 Connections tried again
wredis MCP u64 Requests sent to another server after a failed connection
status SGP str Frontend: OPEN, PAUSED or STOP; backend: UP or DOWN; server: its state
weight MaP u32 Effective weight, or the sum of those in use
act SGP u32 Usable servers that are not backups
bck SGP u32 Usable backup servers
chkfail MCP u64 Health checks that failed
chkdown MCP u64 Times that a check took a server down
lastchg MAP u32 Seconds since the state changed
downtime MCP u32 Seconds spent down
qlimit CGS u32 maxqueue of the server
pid KGP u32 Number of the process
iid KGS u32 Number of the proxy
sid KGS u32 Number of the server
throttle MaP u32 Percentage of the weight in use during slowstart
lbtot MCP u64 Requests that load balancing sent here
tracked CNS str Server whose state is followed
type CGS u32 0 frontend, 1 backend, 2 server, 3 listener
rate MRP u32 Sessions over the last second
rate_lim CLP u32 Limit of new sessions per second
rate_max MMP u32 Most sessions in one second
check_status MOP str Result of the last health check
check_code MOP u32 Layer 5-7 code of the last health check
check_duration MDP u64 Milliseconds the last health check took
hrsp_1xx MCP u64 Responses with status 1xx
hrsp_2xx MCP u64 Responses with status 2xx
hrsp_3xx MCP u64 Responses with status 3xx
hrsp_4xx MCP u64 Responses with status 4xx
hrsp_5xx MCP u64 Responses with status 5xx
hrsp_other MCP u64 Responses with any other status, or none
hanafail MCP u64 Failed checks of observed traffic
req_rate MRP u32 Requests over the last second
req_rate_max MMP u32 Most requests in one second
req_tot MCP u64 Requests received
cli_abrt MCP u64 Requests given up by the client
srv_abrt MCP u64 Requests given up by the server
comp_in MCP u64 Bytes given to the compressor
comp_out MCP u64 Bytes the compressor made of them
comp_byp MCP u64 Bytes not compressed for lack of resources
comp_rsp MCP u64 Responses compressed
lastsess MAP s32 Seconds since the last session, -1 for none
last_chk MOP str What the last health check found
last_agt MOP str What the last agent check found
qtime MaP u32 Average milliseconds in the queue
ctime MaP u32 Average milliseconds to connect
rtime MaP u32 Average milliseconds to the response
ttime MaP u32 Average milliseconds of a whole request
agent_status MOP str Result of the last agent check
agent_code MOP u32 Code of the last agent check
agent_duration MDP u64 Milliseconds the last agent check took
check_desc MOP str Words for check_status
agent_desc MOP str Words for agent_status
check_rise CGS u32 Checks that must pass to come up
check_fall CGS u32 Checks that must fail to go down
check_health CGS u32 Health, from 0 to rise+fall-1
agent_rise CLP u32 Agent checks that must pass to come up
agent_fall CLP u32 Agent checks that must fail to go down
agent_health MGP u32 Agent's health, from 0 to rise+fall-1
addr CGS str Address of the server
cookie CGS str Cookie of the server
mode CGS str Mode of the proxy
algo CGS str Balancing algorithm
conn_rate MRP u32 Connections accepted over the last second
conn_rate_max MMP u32 Most connections in one second
conn_tot MCP u64 Connections accepted
intercepted MCP u64 Requests answered by the proxy itself
dcon MCP u64 Connections denied
dses MCP u64 Sessions denied
wrew MCP u64 Header rewrites that failed
connect MCP u64 Connections to servers tried
reuse MCP u64 Requests sent over a connection in use before
cache_lookups MCP u64 Requests looked up in the cache
cache_hits MCP u64 Requests found in the cache
srv_icur MGP u32 Idle connections to the server
src_ilim CLP u32 Limit of idle connections to the server
qtime_max MMP u32 Most milliseconds in the queue
ctime_max MMP u32 Most milliseconds to connect
rtime_max MMP u32 Most milliseconds to the response
ttime_max MMP u32 Most milliseconds of a whole request
eint MCP u64 Internal errors
idle_conn_cur MGP u32 Idle connections that only their own client may use
safe_conn_cur MGP u32 Idle connections that any client may use
used_conn_cur MGP u32 Connections to the server in use
need_conn_est MGP u32 Connections thought to be needed
uweight MaP u32 Weight as set, or the sum of those in use
agg_server_status MGP u32 Sum of the servers' states
agg_server_check_status MGP u32 Sum of the servers' check states
agg_check_status MGP u32 Sum of the servers' check results
srid MGP u32 Revision of the server's number
sess_other MCP u64 Sessions of other protocols
h1sess MCP u64 HTTP/1 sessions
h2sess MCP u64 HTTP/2 sessions
h3sess MCP u64 HTTP/3 sessions
req_other MCP u64 Requests of other protocols
h1req MCP u64 HTTP/1 requests
h2req MCP u64 HTTP/2 requests
h3req MCP u64 HTTP/3 requests
proto CGS str Protocol of the listener
priv_idle_cur MGP u32 Idle connections that are private to a session
reqbin MCP u64 Bytes of requests received
reqbout MCP u64 Bytes of requests sent on
resbin MCP u64 Bytes of responses received
resbout MCP u64 Bytes of responses sent on
cache_hint_hits MCP u64 Requests found in the cache by a hint
""")
HEADER: Final = '# ' + ''.join(f'{column.name},' for column in COLUMNS) + '-,'
_RESTRICTED: Final = frozenset({'addr', 'cookie', 'algo'})
_STOPPED: Final = ('DOWN', 'MAINT')
_BACKEND_TAGS: Final = {'act': 'MGP', 'bck': 'MGP', 'rate': 'MGP', 'rate_max': 'MGP'}


class Kind(IntEnum):
    """Kind of the object of a row, as the column `type` numbers it."""

    FRONTEND = 0
    BACKEND = 1
    SERVER = 2
    LISTENER = 3

    @property
    def letter(self) -> str:
        """How typed output begins its lines."""
        return 'FBSL'[self]


@dataclass(frozen=True, slots=True)
class Row:
    """One object's figures: `values` by column name; a column that is missing does not apply to the object.

    `description` is that of its proxy, which only the statistics page shows.
    """

    kind: Kind
    iid: int
    sid: int
    values: Mapping[str, Value]
    description: str = ''

    @property
    def proxy(self) -> str:
        """Name of the proxy the row belongs to."""
        return str(self.values['pxname'])


@dataclass(frozen=True, slots=True)
class StatRequest:
    """Operands of `show stat`. `proxy`: None for all, else a name or a number; `kinds`: bit per Kind, -1 all; `sid` -1: all.

    `resolvers`: the other domain (`cli.resolvers`).
    """

    form: Form = Form.TEXT
    describe: bool = False
    proxy: str | None = None
    kinds: int = -1
    sid: int = -1
    up: bool = False
    no_maint: bool = False
    resolvers: bool = False


_KIND_BIT: Final = {Kind.FRONTEND: 1, Kind.BACKEND: 2, Kind.SERVER: 4, Kind.LISTENER: 8}
_FLAGS: Final = frozenset({'typed', 'json', 'desc', 'up', 'no-maint'})


def parse(words: tuple[str, ...]) -> StatRequest:
    """Read `[domain proxy|resolvers] [{iid|name} type sid] [typed|json] [desc] [up|no-maint]`; raises Complaint.

    As in HAProxy other words are ignored, among them a proxy without its two companions.
    """
    resolvers = False
    if words[:1] == ('domain',):
        if words[1:2] not in {('proxy',), ('resolvers',)}:
            raise Complaint('Invalid statistics domain.')
        resolvers = words[1] == 'resolvers'
        words = words[2:]
    proxy, kinds, sid = None, -1, -1
    if len(words) >= 3 and words[0] not in _FLAGS:
        proxy, kinds, sid = words[0], _number(words[1]), _number(words[2])
    form = Form.JSON if 'json' in words else Form.TYPED if 'typed' in words else Form.TEXT
    return StatRequest(
        form,
        'desc' in words,
        None if proxy == '-1' else proxy,
        kinds,
        sid,
        'up' in words,
        'no-maint' in words,
        resolvers,
    )


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        return 0


def select(rows: Iterable[Row], request: StatRequest) -> list[Row]:
    """The rows asked for. Raises Complaint when there is no proxy of the name; an unknown number is an empty dump."""
    found = list(rows)
    if request.proxy is not None:
        numbers = request.proxy.isdecimal() and request.proxy != '0'
        found = [row for row in found if request.proxy == (str(row.iid) if numbers else row.proxy)]
        if not found and not numbers:
            raise Complaint('No such proxy.')
    if request.up or request.no_maint:
        found = _with_tallies(found)
    return [row for row in found if _wanted(row, request)]


def _with_tallies(rows: list[Row]) -> list[Row]:
    """Hiding servers, HAProxy says how many there are: backends' states get ` (up/all)`."""
    up: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for row in rows:
        if row.kind is Kind.SERVER:
            known[row.proxy] += 1
            up[row.proxy] += not str(row.values['status']).startswith(_STOPPED)
    return [
        replace(row, values={**row.values, 'status': f'{row.values["status"]} ({up[row.proxy]}/{known[row.proxy]})'})
        if row.kind is Kind.BACKEND
        else row
        for row in rows
    ]


def _wanted(row: Row, request: StatRequest) -> bool:
    if request.kinds != -1 and not request.kinds & _KIND_BIT[row.kind]:
        return False
    if row.kind not in (Kind.SERVER, Kind.LISTENER):
        return True
    if request.sid not in {-1, row.sid}:
        return False
    if row.kind is Kind.LISTENER:
        return True
    status = str(row.values['status'])
    if request.up and status.startswith(_STOPPED):
        return False
    return not (request.no_maint and status.startswith('MAINT'))


def parts(rows: Iterable[Row], request: StatRequest, *, legends: bool) -> Iterator[str]:
    """The answer row by row, for `assemble`. `legends`: the session may see addresses and algorithms."""
    columns = COLUMNS if legends else tuple(column for column in COLUMNS if column.name not in _RESTRICTED)
    for row in rows:
        if request.form is Form.JSON:
            yield to_json(_documents(row, columns))
        elif request.form is Form.TYPED:
            yield '\n'.join(_typed(row, columns, describe=request.describe))
        else:
            yield _csv(row, legends=legends)


def assemble(written: Iterable[str], request: StatRequest) -> str:
    """The whole answer without its last line feed."""
    if request.form is Form.JSON:
        return f'[{",".join(written)}]'
    return '\n'.join(written if request.form is Form.TYPED else (HEADER, *written))


def _csv(row: Row, *, legends: bool) -> str:
    values = row.values
    cells = (
        csv_value(values[column.name]) if column.name in values and (legends or column.name not in _RESTRICTED) else ''
        for column in COLUMNS
    )
    return ','.join(cells) + ',-,'


def _column(row: Row, column: Field) -> Field:
    if row.kind is Kind.BACKEND and column.name in _BACKEND_TAGS:
        return column.tagged(_BACKEND_TAGS[column.name])
    return column


def _typed(row: Row, columns: tuple[Field, ...], *, describe: bool) -> Iterable[str]:
    for column, value in present(columns, row.values):
        text = f'{row.kind.letter}.{row.iid}.{row.sid}.{_column(row, column).typed(value)}'
        yield described(text, column, describe=describe)


def _documents(row: Row, columns: tuple[Field, ...]) -> list[dict[str, object]]:
    head = {'objType': row.kind.name.capitalize(), 'proxyId': row.iid, 'id': row.sid}
    return [{**head, **_column(row, column).document(value)} for column, value in present(columns, row.values)]
