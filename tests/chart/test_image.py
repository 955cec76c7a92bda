"""The Dockerfile and the chart agree, as far as can be seen without building the one or installing the other."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.chart.rendering import CHART, ROOT, pods

DOCKERFILE = (ROOT / 'Dockerfile').read_text()


def stage(name: str) -> str:
    """The lines of one stage."""
    found = re.search(rf'^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)', DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_signal_that_stops_a_container_is_the_soft_stop_of_a_data_plane() -> None:
    assert 'STOPSIGNAL SIGUSR1\n' in stage('dataplane')
    assert 'STOPSIGNAL SIGTERM\n' in stage('controlplane')
    for name in ('dataplane', 'controlplane'):
        assert f'ENTRYPOINT ["tini", "--", "sluice-{name}"]' in stage(name), 'process 1 collects orphans'
        assert 'HEALTHCHECK ' in stage(name)


def test_the_user_and_the_ports_are_those_of_the_chart() -> None:
    users = {pod['spec']['securityContext']['runAsUser'] for pod in pods('default').values()}
    assert [f'{user}:{user}' for user in users] == re.findall(r'^USER (\S+)', stage('final'), re.MULTILINE)
    for name, port in (('dataplane', 'http'), ('controlplane', 'https')):
        (container,) = pods('default')[f'sluice-{name}']['spec']['containers']
        (number,) = (each['containerPort'] for each in container['ports'] if each['name'] == port)
        exposed = re.findall(r'\d+', ' '.join(re.findall(r'^EXPOSE (.*)', stage(name), re.MULTILINE)))
        assert str(number) in exposed


def test_nothing_that_builds_is_in_what_runs() -> None:
    for name in ('base', 'final', 'dataplane', 'controlplane'):
        assert not re.search(r'gcc|pip|venv', stage(name)), name
    copied = [
        line for name in ('dataplane', 'controlplane') for line in re.findall(r'^COPY .*', stage(name), re.MULTILINE)
    ]
    assert copied == [f'COPY --from=installed-{name} /opt/sluice /opt/sluice' for name in ('dataplane', 'controlplane')]


def test_versions_are_one() -> None:
    version = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']
    chart = yaml.safe_load((CHART / 'Chart.yaml').read_text())
    assert chart['appVersion'] == version
    assert re.findall(r'^ARG VERSION=(\S+)', DOCKERFILE, re.MULTILINE) == [version]


def test_the_context_has_all_that_is_copied_and_no_more() -> None:
    allowed = {line[1:] for line in (ROOT / '.dockerignore').read_text().splitlines() if line.startswith('!')}
    copied = {
        word.rstrip('/').split('/')[0] if not word.startswith('deploy/') else 'deploy/image'
        for line in re.findall(r'^COPY (?!--from)(.*)', DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == allowed


EXTRAS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
BUILD = [
    line for line in (ROOT / 'deploy/image/build.in').read_text().splitlines() if line and not line.startswith('#')
]


@pytest.mark.parametrize(
    'name, wanted',
    [
        ('dataplane', EXTRAS['dataplane']),
        ('controlplane', [*EXTRAS['controlplane'], *EXTRAS['cli']]),
        # with all that setup.py imports
        ('build', [*BUILD, 'cython', 'mypy', 'setuptools', 'wheel']),
    ],
)
def test_the_locks_have_all_that_is_wanted_in_the_versions_of_the_one_lock(name: str, wanted: list[str]) -> None:
    pin = re.compile(r'^([A-Za-z0-9_.-]+)==(\S+) \\\n    --hash=sha256:', re.MULTILINE)
    whole = dict(pin.findall((ROOT / 'requirements.lock').read_text()))
    text = (ROOT / 'deploy' / 'image' / f'{name}.lock').read_text()
    pins = dict(pin.findall(text))
    assert len(pins) == len([line for line in text.splitlines() if line and not line.startswith((' ', '#'))])
    assert pins == {each: whole.get(each) for each in pins}, 'make lock'
    assert {re.split(r'[\[<>=!~;\s]', each)[0].lower() for each in wanted} <= set(pins), 'make lock'
    assert '://' not in text
    assert '--index' not in text
