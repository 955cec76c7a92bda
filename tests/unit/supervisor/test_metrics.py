from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataplane.cli.fields import Value
from dataplane.cli.stat import Kind, Row
from dataplane.core.changes import SetAdmin
from dataplane.core.counters import C
from dataplane.core.model import AdminState
from dataplane.supervisor.figures import Supervision
from dataplane.supervisor.metrics import ALL, SCOPES, Fill, Wanted, exposition, wanted
from tests.inprocess import Plane
from tests.unit.supervisor.exporter_names import NAMES


def samples(plane: Plane) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = ''.join(exposition(list(plane.figures.rows()), plane.figures.info(), plane.figures.supervision))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


S1 = (('proxy', 'px'), ('server', 's1'))


def test_figures_under_haproxys_names() -> None:
    plane = Plane()
    at, server = plane.layout, plane.server('px', 's1')
    block = at.server_counters(0, server)
    for counter, amount in [(C.STOT, 3), (C.HRSP_2XX, 2), (C.TIMES, 2), (C.QTIME, 500), (C.QTIME_MAX, 400)]:
        plane.count(block, counter, amount)
    plane.count(at.frontend_counters(1, 0), C.REQ_TOT, 4)
    plane.count(at.process_counters(1), C.CONN_TOT, 6)
    found = samples(plane)
    assert found['haproxy_server_sessions_total', S1] == 3
    assert found['haproxy_server_limit_sessions', S1] == 1
    assert found['haproxy_server_queue_time_average_seconds', S1] == 0.25
    assert found['haproxy_server_max_queue_time_seconds', S1] == 0.4
    assert found['haproxy_server_http_responses_total', (('code', '2xx'), *S1)] == 2
    assert found['haproxy_frontend_http_requests_total', (('proxy', 'fe'),)] == 4
    assert found['haproxy_backend_active_servers', (('proxy', 'px'),)] == 1
    assert found['haproxy_process_connections_total', ()] == 6
    assert found['haproxy_process_start_time_seconds', ()] == 1_700_000_000
    assert found['haproxy_process_build_info', (('version', '1.2.3'),)] == 1


def test_what_does_not_apply_is_not_a_number() -> None:
    found = samples(Plane())
    assert math.isnan(found['haproxy_server_limit_sessions', (('proxy', 'px'), ('server', 's2'))])
    assert math.isnan(found['haproxy_server_queue_limit', S1])
    assert ('haproxy_server_check_code', S1) not in found, 'nobody checks it'


def test_stick_tables() -> None:
    plane = Plane()
    tables = [Fill('be', 'ip', 1_048_576, 3), Fill('users', 'string', 100, 0)]

    def lines(asked: Wanted = ALL) -> list[str]:
        text = ''.join(exposition(list(plane.figures.rows()), plane.figures.info(), Supervision(), asked, tables))
        return [line for line in text.splitlines() if line.startswith('haproxy_sticktable')]

    assert (
        lines()
        == lines(Wanted(frozenset({'sticktable'})))
        == [
            'haproxy_sticktable_size{name="be",type="ip"} 1048576',
            'haproxy_sticktable_size{name="users",type="string"} 100',
            'haproxy_sticktable_used{name="be",type="ip"} 3',
            'haproxy_sticktable_used{name="users",type="string"} 0',
        ]
    )
    assert lines(Wanted(frozenset({'server'}))) == []


def test_outages_of_backends_are_counted_and_timed() -> None:
    plane = Plane()
    plane.make(*(SetAdmin('px', server, AdminState.MAINT) for server in ('s1', 's2')))
    plane.now_ms += 2_500
    found = samples(plane)
    assert found['haproxy_backend_check_up_down_total', (('proxy', 'px'),)] == 1
    assert found['haproxy_backend_downtime_seconds_total', (('proxy', 'px'),)] == 2
    assert math.isnan(found['haproxy_backend_downtime_seconds_total', (('proxy', 'empty'),)])
    assert math.isnan(found['haproxy_server_downtime_seconds_total', S1]), 'nobody checks it'


def test_one_state_is_in_force() -> None:
    plane = Plane()
    states = ('DOWN', 'UP', 'MAINT', 'DRAIN', 'NOLB')

    def now() -> list[str]:
        found = samples(plane)
        return [state for state in states if found['haproxy_server_status', (*S1, ('state', state))]]

    assert now() == ['UP']
    plane.make(SetAdmin('px', 's1', AdminState.DRAIN))
    assert now() == ['DRAIN']
    plane.make(SetAdmin('px', 's1', AdminState.MAINT))
    assert now() == ['MAINT']


def test_sluices_own() -> None:
    plane = Plane()
    plane.supervision = Supervision(revision=7, pause_us=250, pause_max_us=900, workers=2, restarts=1)
    found = samples(plane)
    assert found['sluice_revision', ()] == 7
    assert found['sluice_pause_seconds', ()] == 0.00025
    assert found['sluice_pause_max_seconds', ()] == 0.0009
    assert found['sluice_workers', ()] == 2
    assert found['sluice_worker_restarts_total', ()] == 1


def test_each_metric_is_described_once() -> None:
    plane = Plane()
    text = ''.join(exposition(list(plane.figures.rows()), plane.figures.info(), plane.figures.supervision))
    types = [line.split()[2] for line in text.splitlines() if line.startswith('# TYPE ')]
    assert len(types) == len(set(types)) > 100
    assert text.endswith('\n')


def test_the_lease_is_shown_where_there_is_one_to_have() -> None:
    plane = Plane()
    rows, info = list(plane.figures.rows()), plane.figures.info()
    assert 'sluice_lease' not in ''.join(exposition(rows, info, plane.figures.supervision))
    ended = replace(plane.figures.supervision, lease_in_force=False)
    text = ''.join(exposition(rows, info, ended))
    assert '\nsluice_lease_in_force 0\n' in text
    assert '\nsluice_lease_seconds 0.0\n' in text
    given = replace(ended, lease_in_force=True, lease_ms=1_500)
    assert '\nsluice_lease_seconds 1.5\n' in ''.join(exposition(rows, info, given))


LEFT_OUT = {
    # HAProxy has them where it was built with zlib, and else says NaN
    'haproxy_process_current_zlib_memory', 'haproxy_process_max_zlib_memory',
}  # fmt: skip


def test_all_metrics_of_haproxys_own_exporter_are_there() -> None:
    listener = Row(Kind.LISTENER, 2, 1, {'pxname': 'fe', 'svname': 'sock-1', 'status': 'OPEN'})
    text = ''.join(exposition([*Plane().figures.rows(), listener], Plane().figures.info(), Supervision()))
    there = set(re.findall(r'^# TYPE (\S+)', text, re.MULTILINE))
    theirs = {f'haproxy_{kind}_{name}' for kind, names in NAMES.items() for name in names}
    assert theirs - there == LEFT_OUT
    assert {name for name in there - theirs if not name.startswith('sluice_')} == set()


def test_results_of_checks_and_sums_over_servers() -> None:
    def server(name: str, status: str, check: str | None) -> Row:
        values: dict[str, Value] = dict.fromkeys(
            (f'hrsp_{code}' for code in ('1xx', '2xx', '3xx', '4xx', '5xx', 'other')), 0
        )
        values |= {'pxname': 'px', 'svname': name, 'status': status}
        return Row(
            Kind.SERVER, 3, 1, values if check is None else {**values, 'check_status': check, 'check_duration': 250}
        )

    backend = next(row for row in Plane().figures.rows() if row.kind is Kind.BACKEND)
    rows = [
        server('a', 'UP 1/2', '* L7OK'), server('b', 'DOWN (agent)', 'L4TOUT'), server('c', 'MAINT (via x/y)', None),
        server('d', 'no check', None), server('e', 'UP', 'L7OK'), backend,
    ]  # fmt: skip
    lines = set(''.join(exposition(rows, Plane().figures.info(), Supervision())).splitlines())
    for line in (
        'haproxy_server_status{proxy="px",server="a",state="UP"} 1',
        'haproxy_server_status{proxy="px",server="b",state="DOWN"} 1',
        'haproxy_server_status{proxy="px",server="c",state="MAINT"} 1',
        'haproxy_server_status{proxy="px",server="d",state="UP"} 1',
        'haproxy_server_check_status{proxy="px",server="a",state="L7OK"} 1',
        'haproxy_server_check_status{proxy="px",server="a",state="L4OK"} 0',
        'haproxy_server_check_duration_seconds{proxy="px",server="a"} 0.25',
        'haproxy_backend_agg_server_status{proxy="px",state="UP"} 3',
        'haproxy_backend_agg_server_status{proxy="px",state="NOLB"} 0',
        'haproxy_backend_agg_server_check_status{proxy="px",state="DOWN"} 1',
        'haproxy_backend_agg_check_status{proxy="px",state="L7OK"} 2',
        'haproxy_backend_agg_check_status{proxy="px",state="HANA"} 0',
    ):
        assert line in lines, line
    assert not any(line.startswith('haproxy_server_check_status{proxy="px",server="c"') for line in lines)


@pytest.mark.parametrize(
    'query,scopes,no_maint',
    [
        ('', SCOPES, False),
        ('scope=server', {'server'}, False),
        ('scope=server&scope=global&no-maint', {'server', 'global'}, True),
        ('scope=server&scope=%2A', SCOPES, False),
        ('scope=', set(), False),
        ('extra-counters', SCOPES, False),
    ],
)
def test_a_part_may_be_asked_for(query: str, scopes: set[str], no_maint: bool) -> None:
    assert wanted(query) == Wanted(frozenset(scopes), no_maint)


def test_a_scope_there_is_none_of() -> None:
    with pytest.raises(ValueError, match="there is no scope 'x'"):
        wanted('scope=x')
    with pytest.raises(ValueError, match='scope has no value'):
        wanted('scope=server&scope')


def test_only_what_is_asked_for_is_written() -> None:
    plane = Plane()

    def families(asked: Wanted) -> set[str]:
        text = ''.join(exposition(list(plane.figures.rows()), plane.figures.info(), Supervision(), asked))
        return {name.split('_')[1] for name in re.findall(r'^# TYPE (\S+)', text, re.MULTILINE)}

    assert families(Wanted(frozenset())) == set()
    assert families(Wanted(frozenset({'server'}))) == {'server'}
    assert families(Wanted(frozenset({'frontend', 'backend'}))) == {'frontend', 'backend'}
    text = ''.join(
        exposition(list(plane.figures.rows()), {}, Supervision(), Wanted(frozenset({'server'}), no_maint=True))
    )
    assert 'server="s3"' not in text
    assert 'server="s2"' in text
