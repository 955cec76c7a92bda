"""`show info`: what is said of the process as a whole, and its forms.

Fields HAProxy prints of things there are none of here (TLS, compression, peers, resolvers) are given as zeros, since tools
look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dataplane.cli.fields import Form, Value, described, present, table, to_json

FIELDS: Final = table("""
Name POS str Name of the product
Version POS str Version of the product
Release_date POS str Date of the version
Nbthread CGS u32 Workers (nbthread)
Nbproc CGS u32 Processes in HAProxy's old sense, always 1
Process_num KGP u32 Number of the process, always 1
Pid SGP u32 Process id of the supervisor
Uptime MDP str Time since the start
Uptime_sec MDP u32 Seconds since the start
Memmax_MB CLP u32 Limit on memory in MB
PoolAlloc_MB MGP u32 Memory allocated in pools in MB
PoolUsed_MB MGP u32 Memory used in pools in MB
PoolFailed MCP u32 Allocations that failed
Ulimit-n CLP u32 Limit on file descriptors
Maxsock CLP u32 Limit on sockets
Maxconn CLP u32 Limit on client connections
Hard_maxconn CLP u32 Limit that the configuration set on client connections
CurrConns MGP u32 Client connections open now
CumConns MCP u32 Client connections accepted
CumReq MCP u32 Requests received
MaxSslConns MMP u32 Limit on TLS connections
CurrSslConns MGP u32 TLS connections open now
CumSslConns MCP u32 TLS connections since the start
Maxpipes CLP u32 Limit on pipes
PipesUsed MGP u32 Pipes in use
PipesFree MGP u32 Pipes free
ConnRate MRP u32 Connections over the last second
ConnRateLimit CLP u32 Limit on ConnRate
MaxConnRate MMP u32 Most connections in one second
SessRate MRP u32 Sessions over the last second
SessRateLimit CLP u32 Limit on SessRate
MaxSessRate MRP u32 Most sessions in one second
SslRate MRP u32 TLS connections over the last second
SslRateLimit CLP u32 Limit on SslRate
MaxSslRate MMP u32 Most TLS connections in one second
SslFrontendKeyRate MGP u32 TLS keys on frontends over the last second
SslFrontendMaxKeyRate MMP u32 Most TLS keys on frontends in one second
SslFrontendSessionReuse_pct MGP u32 Percentage of TLS sessions resumed
SslBackendKeyRate MRP u32 TLS keys on backends over the last second
SslBackendMaxKeyRate MMP u32 Most TLS keys on backends in one second
SslCacheLookups MCP u32 TLS sessions looked up
SslCacheMisses MCP u32 TLS sessions not found
CompressBpsIn MRP u32 Bytes given to the compressor over the last second
CompressBpsOut MRP u32 Bytes the compressor made over the last second
CompressBpsRateLim CLP u32 Limit on CompressBpsOut
ZlibMemUsage MGP u32 Memory the compressor uses
MaxZlibMemUsage CLP u32 Limit on the compressor's memory
Tasks MGP u32 Streams open now
Run_queue MGP u32 Streams waiting in a queue now
Idle_pct MaP u32 Percentage of the last second spent waiting
node COS str Name of this node
description COS str Description of this node
Stopping MGP u32 1 while stopping
Jobs MGP u32 Client connections and listeners
Unstoppable~Jobs MGP u32 Jobs that stopping does not wait for
Listeners MGP u32 Listening addresses
ActivePeers MGP u32 Peers in use
ConnectedPeers MGP u32 Peers connected
DroppedLogs MGP u32 Log lines dropped
BusyPolling MGP u32 1 with busy polling
FailedResolutions MGP u32 Name resolutions that failed
TotalBytesOut MGP u64 Bytes sent to clients and servers
TotalSplicedBytesOut MGP u64 Bytes sent through a pipe
BytesOutRate MRP u64 Bytes sent over the last second
DebugCommandsIssued MGP u32 Debugging commands issued
CumRecvLogs MCP u32 Log lines received
Build~info POS str Build of the product
Memmax_bytes CLP u32 Limit on memory in bytes
PoolAlloc_bytes MGP u64 Memory allocated in pools in bytes
PoolUsed_bytes MGP u64 Memory used in pools in bytes
Start_time_sec MDP u32 Second of the start
Tainted SGP str Experimental features in use
TotalWarnings MCP u32 Warnings at the start
MaxconnReached MCP u32 Times the limit on client connections was met
BootTime_ms MDP u32 Milliseconds the start took
Niced_tasks MGP u32 Tasks with another priority
CurrStreams MGP u64 Streams open now
CumStreams MCP u64 Streams since the start
BlockedTrafficWarnings MCP u64 Warnings about an event loop that stood still
PatternsAdded MCP u64 Patterns added
PatternsFreed MCP u64 Patterns freed
NbThreadGroups CGS u32 Thread groups
""")
_ZERO: Final[Mapping[str, Value]] = {field.name: 0 for field in FIELDS if field.type != 'str'}
# what depends on how HAProxy was built or configured is left out unless it is given
_OPTIONAL: Final = frozenset({'ZlibMemUsage', 'MaxZlibMemUsage', 'Idle_pct'})
_FLOATS: Final = frozenset({
    'Uptime_sec', 'ConnRate', 'SessRate', 'SslRate', 'SslFrontendKeyRate', 'SslFrontendSessionReuse_pct', 'SslBackendKeyRate',
    'CompressBpsIn', 'CompressBpsOut', 'Start_time_sec',
})  # fmt: skip
_FLOAT_RATES: Final = frozenset({'SslFrontendKeyRate', 'SslFrontendSessionReuse_pct'})
"""Gauges that HAProxy tags as rates where they are floats."""
_FLOATING: Final = tuple(
    replace(field, type='flt', tags='MRP' if field.name in _FLOAT_RATES else field.tags)
    if field.name in _FLOATS
    else field
    for field in FIELDS
)


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """Operands of `show info`. `floats`: seconds and rates with their fraction."""

    form: Form = Form.TEXT
    describe: bool = False
    floats: bool = False


def parse(words: tuple[str, ...]) -> InfoRequest:
    """Read `[typed|json] [desc] [float]`; as in HAProxy other words are ignored."""
    form = Form.JSON if 'json' in words else Form.TYPED if 'typed' in words else Form.TEXT
    return InfoRequest(form, 'desc' in words, 'float' in words)


def uptime(seconds: int) -> str:
    """Seconds as `show info` writes them: `0d 0h00m05s`."""
    return f'{seconds // 86400}d {seconds // 3600 % 24}h{seconds // 60 % 60:02}m{seconds % 60:02}s'


def render(values: Mapping[str, Value], request: InfoRequest) -> str:
    """The answer without its last line feed, from the values that are known; other numbers are 0."""
    known = {name: zero for name, zero in _ZERO.items() if name not in _OPTIONAL} | dict(values)
    pairs = list(present(_FLOATING if request.floats else FIELDS, known))
    if request.form is Form.JSON:
        return to_json([field.document(value) for field, value in pairs])
    lines = (
        described(
            field.typed(_shown(value)) if request.form is Form.TYPED else f'{field.name}: {_shown(value)}',
            field,
            describe=request.describe,
        )
        for field, value in pairs
    )
    return '\n'.join(lines)


def _shown(value: Value) -> Value:
    """A number with a fraction in microseconds, without zeros that say nothing."""
    return f'{value:.6f}'.rstrip('0').rstrip('.') if isinstance(value, float) else value
