from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from dataplane.core.changes import SetAdmin
from dataplane.core.counters import C
from dataplane.core.model import AdminState
from dataplane.supervisor.figures import Supervision
from dataplane.supervisor.metrics import exposition
from tests.inprocess import Plane


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


def test_what_does_not_apply_is_left_out() -> None:
    found = samples(Plane())
    assert ('haproxy_server_limit_sessions', (('proxy', 'px'), ('server', 's2'))) not in found
    assert ('haproxy_server_queue_limit', S1) not in found


def test_outages_of_backends_are_counted_and_timed() -> None:
    plane = Plane()
    plane.make(*(SetAdmin('px', server, AdminState.MAINT) for server in ('s1', 's2')))
    plane.now_ms += 2_500
    found = samples(plane)
    assert found['haproxy_backend_check_up_down_total', (('proxy', 'px'),)] == 1
    assert found['haproxy_backend_downtime_seconds_total', (('proxy', 'px'),)] == 2
    assert ('haproxy_backend_downtime_seconds_total', (('proxy', 'empty'),)) not in found
    assert ('haproxy_server_downtime_seconds_total', S1) not in found, 'nobody checks it'


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
