"""Both proxies as processes: the configuration a scenario's lines become, and how each is started."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.conformance.scenario import Scenario, Wrong
from tests.integration.harness.cli import Cli
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until

HAPROXY = 'haproxy'
SLUICE = 'sluice'
COMPARED = '2.6.'
_START = 60.0
_PLACE = re.compile(r'(?<!\$)\{([a-z][a-z0-9_]*)\}')
_GLOBAL = """global
    nbthread {workers}
    maxconn 2000
    node conform
    stats socket {socket} level admin
    log {log} format raw local0
"""
_DEFAULTS = """defaults
    mode http
    balance roundrobin
    log global
    option httplog
    timeout connect 2s
    timeout client 10s
    timeout server 10s
"""


@cache
def version() -> str | None:
    """The version of the HAProxy that is installed, None where there is none."""
    if shutil.which(HAPROXY) is None:
        return None
    said = subprocess.run([HAPROXY, '-v'], capture_output=True, text=True, check=True).stdout
    found = re.search(r'version (\S+)', said)
    assert found is not None, said
    return found[1]


def places(scenario: Scenario) -> set[str]:
    """The names in braces, each of which is a port, but for those of the house."""
    return set(_PLACE.findall('\n'.join((*scenario.globals, *scenario.defaults, *scenario.config)))) | {'fe'}


def text_of(scenario: Scenario, values: dict[str, str]) -> str:
    """The whole configuration: the standard head, unless the scenario brings its own, and the scenario's lines."""
    body = '\n'.join(scenario.config) + '\n'
    head = ''
    if not re.search(r'^global\b', body, re.MULTILINE):
        head += _GLOBAL.replace('{workers}', str(scenario.workers)) + '\n'.join(scenario.globals) + '\n'
    if not re.search(r'^defaults\b', body, re.MULTILINE):
        head += _DEFAULTS + '\n'.join(scenario.defaults) + '\n'

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Wrong(f'{scenario.name}: nothing is called {{{match[1]}}}')
        return values[match[1]]

    return _PLACE.sub(value, head + body)


def filled(line: str, ports: Mapping[str, object]) -> str:
    """A line with the ports (or the directory) it names in braces; other braces stay."""
    return _PLACE.sub(lambda match: str(ports.get(match[1], match[0])), line)


async def start(kind: str, text: str, directory: Path) -> tuple[Child, Cli]:
    """Start a proxy, and return when its stats socket answers."""
    path = directory / 'proxy.cfg'
    path.write_text(text)
    argv = [HAPROXY, '-db', '-f'] if kind == HAPROXY else python('dataplane.supervisor.main', '-f')
    child = await spawn([*argv, str(path)], name=kind, directory=directory)
    cli = Cli(directory / 'cli')

    async def ready() -> bool:
        if child.returncode is not None:
            raise AssertionError(child.report())
        return await cli.ready()

    try:
        await until(ready, within=_START, what=f'{kind} is up')
    except BaseException:
        await child.stop()
        raise
    return child, cli
