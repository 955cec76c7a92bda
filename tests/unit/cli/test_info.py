from __future__ import annotations

import json

import pytest

from dataplane.cli.fields import Form, Value
from dataplane.cli.info import FIELDS, InfoRequest, parse, render, uptime

KNOWN: dict[str, Value] = {'Name': 'Sluice', 'Version': '1.0', 'Pid': 42, 'node': 'n1', 'Uptime_sec': 5}


def test_the_order_of_the_fields() -> None:
    names = [field.name for field in FIELDS]
    assert len(names) == 82
    assert names[:9] == [
        'Name', 'Version', 'Release_date', 'Nbthread', 'Nbproc', 'Process_num', 'Pid', 'Uptime', 'Uptime_sec',
    ]  # fmt: skip
    assert [field.position for field in FIELDS] == list(range(82))
    assert 'Unstoppable Jobs' in names


def test_text() -> None:
    lines = render(KNOWN, InfoRequest()).split('\n')
    assert lines[:3] == ['Name: Sluice', 'Version: 1.0', 'Nbthread: 0']
    assert 'Pid: 42' in lines
    assert not any(line.startswith(('description', 'ZlibMemUsage', 'Idle_pct')) for line in lines)


def test_typed_and_described() -> None:
    assert '6.Pid.1:SGP:u32:42' in render(KNOWN, InfoRequest(Form.TYPED)).split('\n')
    assert 'Pid: 42:"Process id of the supervisor"' in render(KNOWN, InfoRequest(describe=True))


def test_json() -> None:
    document = json.loads(render(KNOWN, InfoRequest(Form.JSON)))
    assert document[0]['value'] == {'type': 'str', 'value': 'Sluice'}


@pytest.mark.parametrize(
    'words,expected',
    [
        ((), InfoRequest()),
        (('typed', 'desc'), InfoRequest(Form.TYPED, describe=True)),
        (('json', 'float', 'x'), InfoRequest(Form.JSON, floats=True)),
    ],
)
def test_operands(words: tuple[str, ...], expected: InfoRequest) -> None:
    assert parse(words) == expected


def test_uptime() -> None:
    assert uptime(5) == '0d 0h00m05s'
    assert uptime(93_784) == '1d 2h03m04s'


ORDER = [
    'Name',
    'Version',
    'Release_date',
    'Nbthread',
    'Nbproc',
    'Process_num',
    'Pid',
    'Uptime',
    'Uptime_sec',
    'Memmax_MB',
    'PoolAlloc_MB',
    'PoolUsed_MB',
    'PoolFailed',
    'Ulimit-n',
    'Maxsock',
    'Maxconn',
    'Hard_maxconn',
    'CurrConns',
    'CumConns',
    'CumReq',
    'MaxSslConns',
    'CurrSslConns',
    'CumSslConns',
    'Maxpipes',
    'PipesUsed',
    'PipesFree',
    'ConnRate',
    'ConnRateLimit',
    'MaxConnRate',
    'SessRate',
    'SessRateLimit',
    'MaxSessRate',
    'SslRate',
    'SslRateLimit',
    'MaxSslRate',
    'SslFrontendKeyRate',
    'SslFrontendMaxKeyRate',
    'SslFrontendSessionReuse_pct',
    'SslBackendKeyRate',
    'SslBackendMaxKeyRate',
    'SslCacheLookups',
    'SslCacheMisses',
    'CompressBpsIn',
    'CompressBpsOut',
    'CompressBpsRateLim',
    'ZlibMemUsage',
    'MaxZlibMemUsage',
    'Tasks',
    'Run_queue',
    'Idle_pct',
    'node',
    'description',
    'Stopping',
    'Jobs',
    'Unstoppable Jobs',
    'Listeners',
    'ActivePeers',
    'ConnectedPeers',
    'DroppedLogs',
    'BusyPolling',
    'FailedResolutions',
    'TotalBytesOut',
    'TotalSplicedBytesOut',
    'BytesOutRate',
    'DebugCommandsIssued',
    'CumRecvLogs',
    'Build info',
    'Memmax_bytes',
    'PoolAlloc_bytes',
    'PoolUsed_bytes',
    'Start_time_sec',
    'Tainted',
    'TotalWarnings',
    'MaxconnReached',
    'BootTime_ms',
    'Niced_tasks',
    'CurrStreams',
    'CumStreams',
    'BlockedTrafficWarnings',
    'PatternsAdded',
    'PatternsFreed',
    'NbThreadGroups',
]


def test_every_field_in_its_place() -> None:
    assert [field.name for field in FIELDS] == ORDER


def test_fractions() -> None:
    values: dict[str, Value] = {'Uptime_sec': 12.25, 'ConnRate': 3}
    lines = render(values, InfoRequest(Form.TYPED, floats=True)).split('\n')
    assert '8.Uptime_sec.1:MDP:flt:12.25' in lines
    assert '26.ConnRate.1:MRP:flt:3' in lines
    assert '48.Run_queue.1:MGP:u32:0' in lines
    assert 'Uptime_sec: 12.25' in render(values, InfoRequest(floats=True)).split('\n')
    assert 'Uptime_sec: 12' in render({'Uptime_sec': 12.0}, InfoRequest(floats=True)).split('\n')
