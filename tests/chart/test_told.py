"""What the pods are told is understood by the programs in them: the configuration, the environment, the certificate, the metrics."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from controlplane.__main__ import parser
from controlplane.kube.bootstrap import KEY
from controlplane.kube.figures import Standing, Told, standing
from controlplane.kube.metrics import lines
from dataplane.core.model import OnPartition, Snapshot
from dataplane.core.outbound import ControlPlane
from dataplane.supervisor.metrics import METRICS, PROCESS
from dataplane.supervisor.options import Options
from dataplane.supervisor.sources import Sources
from tests.chart.rendering import CASES, CHART, ROOT, objects, one, pods, run

POD = {'POD_NAME': 'sluice-dataplane-5d4b-x2x9z', 'POD_NAMESPACE': 'edge'}


def read(case: str, directory: Path) -> Snapshot:
    """The data planes' configuration as a data plane reads it."""
    path = directory / 'sluice.cfg'
    path.write_text(one(case, 'ConfigMap', 'sluice-dataplane')['data']['sluice.cfg'])
    loaded = Sources.of(Options(files=[str(path)]), POD).read()
    assert not loaded.warnings
    return loaded.snapshot


@pytest.mark.parametrize('case', CASES)
def test_the_configuration_is_understood(case: str, tmp_path: Path) -> None:
    snapshot = read(case, tmp_path)
    settings = snapshot.globals
    assert settings.node == POD['POD_NAME'], 'the control plane knows a data plane by its pod'
    assert settings.control_plane == ControlPlane(
        url='https://sluice-controlplane-link.edge.svc.cluster.local:8000',
        token_file='/var/run/secrets/sluice.dev/token',
        ca_file='/var/run/secrets/sluice.dev/ca.crt',
    )
    assert settings.state_dir == '/var/lib/sluice'
    assert settings.grace > 0
    assert settings.hard_stop_after
    (socket,) = settings.stats_sockets
    assert socket.path == '/run/sluice/sluice.sock'
    ports = {bind.port for frontend in snapshot.frontends for bind in frontend.binds}
    assert 8080 in ports
    assert all(frontend.use_routes for frontend in snapshot.frontends)
    assert [bind.port for listener in snapshot.stats_listeners for bind in listener.binds] == [8404]
    (container,) = pods(case)['sluice-dataplane']['spec']['containers']
    assert {port['containerPort'] for port in container['ports']} == ports | {8404}
    mounted = {mount['mountPath'] for mount in container['volumeMounts']}
    assert {'/var/lib/sluice', '/run/sluice', '/var/run/secrets/sluice.dev', '/etc/sluice', '/tmp'} <= mounted


@pytest.mark.parametrize('case', CASES)
def test_a_data_plane_finds_the_snapshot_that_control_planes_write(case: str, tmp_path: Path) -> None:
    path = read(case, tmp_path).globals.bootstrap_file
    assert path is not None
    spec = pods(case)['sluice-dataplane']['spec']
    (container,) = spec['containers']
    (mount,) = (each for each in container['volumeMounts'] if path.startswith(each['mountPath'] + '/'))
    assert mount['readOnly']
    (volume,) = (each['configMap'] for each in spec['volumes'] if each['name'] == mount['name'])
    (control,) = pods(case)['sluice-controlplane']['spec']['containers']
    (name,) = (each['value'] for each in control['env'] if each['name'] == 'SLUICE_NAME')
    assert volume['name'] == f'{name}-snapshot'
    assert volume['optional'], 'before anything was pushed there is none'
    assert [(item['key'], f'{mount["mountPath"]}/{item["path"]}') for item in volume['items']] == [(KEY, path)]


@pytest.mark.parametrize('case, policy', [('default', OnPartition.KEEP), ('namespaced', OnPartition.STOP)])
def test_what_becomes_of_data_planes_that_are_cut_off(case: str, policy: OnPartition, tmp_path: Path) -> None:
    assert read(case, tmp_path).globals.on_partition is policy


def test_values_reach_the_configuration(tmp_path: Path) -> None:
    snapshot = read('production', tmp_path)
    assert (snapshot.globals.nbthread, snapshot.globals.maxconn, snapshot.globals.bufsize) == (4, 40_000, 32_768)
    assert (snapshot.globals.grace, snapshot.globals.hard_stop_after) == (30_000, 300_000)
    assert {frontend.name for frontend in snapshot.frontends} == {'http', 'internal'}


@pytest.mark.parametrize('case', CASES)
def test_the_control_plane_knows_every_variable(case: str) -> None:
    (container,) = pods(case)['sluice-controlplane']['spec']['containers']
    known = set(re.findall(r'\[(SLUICE_\w+)\]', re.sub(r'\s+', ' ', parser({}).format_help())))
    told = {each['name'] for each in container['env'] if each['name'].startswith('SLUICE_')}
    assert told <= known, told - known
    told_to = {each['name']: each.get('value') for each in container['env']}
    account = pods(case)['sluice-dataplane']['spec']['serviceAccountName']
    assert told_to['SLUICE_DATAPLANE_ACCOUNTS'] == f'edge:{account}'
    names = [
        tuple(rule['resourceNames'])
        for rule in one(case, 'Role', 'sluice-controlplane')['rules']
        if 'resourceNames' in rule
    ]
    assert names == [(told_to['SLUICE_NAME'],), (told_to['SLUICE_NAME'], f'{told_to["SLUICE_NAME"]}-snapshot')]


def certificate(case: str, secret: str, key: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(one(case, 'Secret', secret)['data'][key]))


def test_the_certificate_is_good_for_every_name_that_is_dialled(tmp_path: Path) -> None:
    found = certificate('default', 'sluice-controlplane-tls', 'tls.crt')
    authority = certificate('default', 'sluice-controlplane-tls', 'ca.crt')
    assert authority == certificate('default', 'sluice-controlplane-ca', 'tls.crt')
    found.verify_directly_issued_by(authority)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    settings = read('default', tmp_path).globals
    assert settings.control_plane is not None
    (test,) = pods('default')['sluice-test']['spec']['containers']
    asked = {each['name']: each['value'] for each in test['env']}['CONTROLPLANE']
    for url in (settings.control_plane.url, asked):
        assert urlsplit(url).hostname in dns
    assert 'localhost' in dns, 'for a port-forward'
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ['127.0.0.1']
    assert '*.sluice-controlplane-link.edge.svc.cluster.local' in dns, 'for one of them'


def test_a_certificate_of_an_issuer_has_the_same_names() -> None:
    made = certificate('default', 'sluice-controlplane-tls', 'tls.crt')
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    issued = one('production', 'Certificate', 'sluice-controlplane')['spec']
    assert issued['dnsNames'] == names
    secrets = {each['metadata']['name'] for each in objects('production') if each['kind'] == 'Secret'}
    assert not secrets, 'whoever issues it writes it'
    assert issued['secretName'] == 'sluice-controlplane-tls'


@pytest.mark.parametrize(
    'setting, problem',
    [
        ('dataplane.replicas=3', "additional properties 'replicas' not allowed"),
        ('dataplane.kind=StatefulSet', 'value must be one of'),
        ('dataplane.workers=0', 'got 0, want 1'),
        ('dataplane.config.timeouts.queue=soon', 'does not match pattern'),
        ('controlplane.image.digest=latest', 'does not match pattern'),
        ('tls.mode=none', 'value must be one of'),
        ('tls.mode=certManager', 'tls.certManager.issuerRef.name is needed'),
        ('tls.mode=existingSecret', 'tls.existingSecret.name is needed'),
    ],
)
def test_values_that_make_no_sense_are_refused(setting: str, problem: str) -> None:
    done = run('--set', setting)
    assert done.returncode != 0
    assert problem in done.stderr


STANDING = Standing(
    leads=True, lease_term=1, reigns=1, snapshots=1, snapshots_failed=0, behind=0, told=Told(), held=0, panics=()
)


def exported() -> set[str]:
    """Every metric of both planes."""
    own = {
        name
        for path in ('dataplane/supervisor/metrics.py',)
        for name in re.findall(r"'(sluice_\w+)'", (ROOT / path).read_text())
    }
    control = set(re.findall(r"_figure\('(\w+)'", (ROOT / 'controlplane/api/metrics.py').read_text()))
    kinds = (line.split() for line in (*lines([]), *standing(STANDING)))
    own |= {words[2] for words in kinds if words[1] == 'TYPE'}
    tables = {metric.name for table in METRICS.values() for metric in table} | {metric.name for metric in PROCESS}
    apart = {'haproxy_backend_http_responses_total', 'haproxy_server_status'}  # with labels of their own
    return own | tables | {f'sluice_controlplane_{name}' for name in control} | apart


def test_alerts_and_dashboard_ask_for_what_there_is() -> None:
    alerts = one('production', 'PrometheusRule', 'sluice')['spec']['groups'][0]['rules']
    dashboard = json.loads(one('production', 'ConfigMap', 'sluice-dashboard')['data']['sluice.json'])
    asked = [rule['expr'] for rule in alerts]
    asked += [target['expr'] for panel in dashboard['panels'] for target in panel['targets']]
    names = {name for text in asked for name in re.findall(r'\b(?:haproxy|sluice)_\w+', text)}
    assert len(names) > 10
    assert names <= exported(), names - exported()
    assert all(rule['annotations']['summary'] for rule in alerts)
    assert len({panel['id'] for panel in dashboard['panels']}) == len(dashboard['panels'])


def test_monitors_find_the_services_with_metrics() -> None:
    services = {each['metadata']['name']: each for each in objects('production') if each['kind'] == 'Service'}
    for plane, service in (('controlplane', 'sluice-controlplane-link'), ('dataplane', 'sluice-dataplane-metrics')):
        spec = one('production', 'ServiceMonitor', f'sluice-{plane}')['spec']
        wanted = spec['selector']['matchLabels'].items()
        assert [name for name, each in services.items() if each['metadata']['labels'].items() >= wanted] == [service]
        assert spec['endpoints'][0]['port'] in {port['name'] for port in services[service]['spec']['ports']}


def test_what_helm_test_asks_is_a_program() -> None:
    text = pods('default')['sluice-test']['spec']['containers'][0]['args'][0]
    compile(text, 'ask.py', 'exec')
    assert text.strip() == (CHART / 'tests' / 'ask.py').read_text().strip()


def test_the_control_plane_is_told_which_namespaces_it_may_watch() -> None:
    def told(case: str) -> dict[str, str | None]:
        (container,) = pods(case)['sluice-controlplane']['spec']['containers']
        return {each['name']: each.get('value') for each in container['env']}

    assert told('namespaced')['SLUICE_WATCH'] == 'shop,billing'
    assert 'SLUICE_WATCH' not in told('default')
