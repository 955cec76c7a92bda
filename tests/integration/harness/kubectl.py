"""kubectl and helm as pages of the documentation use them, played on `tests.integration.harness.kubernetes`.

A command that nobody here can do fails, so that whoever runs a page learns that this line of it has not been tried.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controlplane.kube.resources import (
    BACKEND_POLICIES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    PODS,
    SERVER_OVERRIDES,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from tests.crds import admit
from tests.integration.harness.kubernetes import AUDIENCE, OWN, WITHIN, Json, Kubernetes
from tests.integration.harness.manifests import documents, jsonpath, kustomized
from tests.integration.harness.procs import ROOT
from tests.integration.harness.waiting import until

_KINDS: Final[Mapping[str, Resource]] = {
    resource.kind: resource
    for resource in (SERVICES, ENDPOINT_SLICES, BACKEND_POLICIES, SERVER_OVERRIDES, CONFIG_MAPS, SERVICE_ACCOUNTS, PODS)
}
_SPELT: Final = {
    'bp': BACKEND_POLICIES, 'so': SERVER_OVERRIDES,
    **{spelt: kind for kind in _KINDS.values() for spelt in (kind.plural, kind.kind.lower())},
}  # fmt: skip
_PORTS: Final = {'service/sluice-dataplane': '80', 'service/sluice-controlplane': '443'}  # as the chart has them
_UNSEEN: Final = frozenset({'PodDisruptionBudget'})  # nothing here looks at them
_SHORT: Final = {'n': 'namespace', 'f': 'filename', 'k': 'kustomize', 'o': 'output', 'l': 'selector', 'w': 'watch'}
_FLAGS: Final = frozenset(
    {'ignore-daemonsets', 'delete-emptydir-data', 'watch', 'create-namespace', 'reuse-values', 'wait'}
)


class Unknown(Exception):
    """A command that nobody here can do."""


@dataclass
class Kubectl:
    """`forwarded` says which local ports were asked for: they are the ports of the test's own processes."""

    cluster: Kubernetes
    said: list[list[str]] = field(default_factory=list)
    helm: list[list[str]] = field(default_factory=list)
    forwarded: dict[str, str] = field(default_factory=dict)

    async def run(self, program: str, words: Sequence[str], given: str) -> str:
        """What the command prints. `given` is its standard input. Unknown: nobody here can do that."""
        if program == 'helm':
            self.helm.append(list(words))
            return self._helm(words)
        self.said.append(list(words))
        options, rest = _options(words)
        namespace = options.get('namespace', 'default')
        match rest:
            case ['apply']:
                for document in _documents(options, given):
                    await self._apply(document, namespace)
                return ''
            case ['create', *what]:
                return self._create(what, namespace, options)
            case ['wait', what]:
                kind, _, name = what.partition('/')
                await self._wait(_SPELT[kind], namespace, name, options['for'])
                return ''
            case ['get', 'secret', name]:
                assert (namespace, name) == (OWN, 'sluice-controlplane-tls'), f'no Secret {namespace}/{name}'
                assert options['output'] == 'go-template={{index .data "ca.crt" | base64decode}}', options
                return self.cluster.ca_file.read_text().strip()
            case ['get', kinds, *names]:
                return self._get(kinds, namespace, names, options)
            case _:
                return await self._operate(rest, namespace, options)

    async def _operate(self, rest: Sequence[str], namespace: str, options: Mapping[str, str]) -> str:
        match rest:
            case ['rollout', 'status', what]:
                kind, _, name = what.partition('/')
                assert kind == 'deployment', what
                assert (namespace, name) in self.cluster.deployments, f'no Deployment {namespace}/{name}'
            case ['delete', 'deployment', name]:
                await self.cluster.undeploy(namespace, name)
            case ['cordon', node]:
                self.cluster.cordoned.add(node)
            case ['uncordon', node]:
                self.cluster.cordoned.discard(node)
            case ['drain', node] if {'ignore-daemonsets', 'delete-emptydir-data'} <= options.keys():
                self.cluster.cordoned.add(node)
                await self.cluster.evict(node)
            case ['port-forward', what, ports]:
                assert namespace == OWN, namespace
                assert ports.partition(':')[2] == _PORTS[what], f'{what} has no port {ports}'
                self.forwarded[what] = ports.partition(':')[0]
            case _:
                raise Unknown(' '.join(rest))
        return ''

    def _create(self, what: Sequence[str], namespace: str, options: Mapping[str, str]) -> str:
        match what:
            case ['namespace', _]:
                return ''
            case ['serviceaccount', name]:
                self.cluster.fake.put(SERVICE_ACCOUNTS, namespace, {'metadata': {'name': name}})
                return ''
            case ['clusterrolebinding', _]:
                assert options['clusterrole'] == 'sluice-operator', options
                space, _, account = options['serviceaccount'].partition(':')
                self.cluster.operators(f'system:serviceaccount:{space}:{account}')
                return ''
            case ['token', name]:
                self.cluster.fake.get(SERVICE_ACCOUNTS, namespace, name)
                assert options['audience'] == AUDIENCE, options
                return self.cluster.token(namespace, name)
        raise Unknown(f'create {" ".join(what)}')

    @staticmethod
    def _helm(words: Sequence[str]) -> str:
        options, rest = _options(words)
        match rest:
            case ['install' | 'upgrade', 'sluice', chart]:
                assert (ROOT / chart / 'Chart.yaml').is_file(), chart
                assert options['namespace'] == OWN, options
                for name in options.get('filename', '').splitlines():
                    assert (ROOT / name).is_file(), name
                for pair in options.get('set', '').splitlines():
                    assert f'| `{pair.partition("=")[0]}` |' in (ROOT / chart / 'README.md').read_text(), pair
            case ['test' | 'uninstall', 'sluice']:
                assert options['namespace'] == OWN, options
            case _:
                raise Unknown(f'helm {" ".join(words)}')
        return ''

    async def _apply(self, document: Json, namespace: str) -> None:
        kind, meta = document['kind'], document['metadata']
        namespace = meta.get('namespace', namespace)
        if kind in _UNSEEN:
            return
        if kind == 'Deployment':
            await self.cluster.deploy(namespace, document)
            return
        if kind == 'ClusterRoleBinding':
            assert document['roleRef']['name'] == 'sluice-operator', document
            for who in document['subjects']:
                self.cluster.operators(f'system:serviceaccount:{who["namespace"]}:{who["name"]}')
            return
        resource = _KINDS[kind]
        if resource in {BACKEND_POLICIES, SERVER_OVERRIDES}:
            document, faults = admit(resource.plural, document)
            assert not faults, f'{kind} {meta["name"]}: {faults}'
        if resource is SERVICES:  # as the API server would
            ports = [{'protocol': 'TCP', **port} for port in document['spec']['ports']]
            document = {**document, 'spec': {'ipFamilies': ['IPv4'], **document['spec'], 'ports': ports}}
        self.cluster.fake.put(resource, namespace, document)
        if resource is SERVICES:
            self.cluster.slices()

    async def _wait(self, resource: Resource, namespace: str, name: str, wanted: str) -> None:
        condition, path = re.fullmatch(r'condition=(\w+)', wanted), re.fullmatch(r'jsonpath=(\{.*\})=(\w+)', wanted)
        if not condition and not path:
            raise Unknown(f'wait --for={wanted}')

        def holds() -> bool:
            document = self.cluster.fake.get(resource, namespace, name)
            if path:
                return jsonpath(path[1], document) == path[2]
            assert condition is not None
            rows = document.get('status', {}).get('conditions', [])
            return any((row['type'], row['status']) == (condition[1], 'True') for row in rows)

        await until(holds, within=WITHIN, what=f'{name} {wanted}', every=0.05)

    def _get(self, kinds: str, namespace: str, names: Sequence[str], options: Mapping[str, str]) -> str:
        """With --watch: what it shows first."""
        fake, found = self.cluster.fake, list[Json]()
        for word in kinds.split(','):
            resource = _SPELT[word]
            found += [fake.get(resource, namespace, name) for name in names] or fake.all(resource, namespace)
        wanted = dict(pair.split('=') for pair in options.get('selector', '').split(',') if pair)
        found = [one for one in found if wanted.items() <= one['metadata'].get('labels', {}).items()]
        form = options.get('output', '')
        if form == 'name':
            return '\n'.join(f'{one["kind"].lower()}/{one["metadata"]["name"]}' for one in found)
        if form.startswith('jsonpath='):
            return jsonpath(form.removeprefix('jsonpath='), found[0] if names else {'items': found})
        assert form in {'', 'wide'}, form
        return '\n'.join(one['metadata']['name'] for one in found)


def _options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Options by their long names (what is given several times, one a line), and the other words."""
    options: dict[str, str] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith('-') or word == '-':
            rest.append(word)
            continue
        name, equals, value = word.lstrip('-').partition('=')
        name = _SHORT.get(name, name)
        if not equals and name not in _FLAGS:
            value = left.pop(0)
        options[name] = f'{options[name]}\n{value}' if name in options else value
    return options, rest


def _documents(options: Mapping[str, str], given: str) -> list[Json]:
    """What is to be applied."""
    if 'kustomize' in options:
        return kustomized(ROOT / options['kustomize'])
    return [
        document
        for name in options['filename'].splitlines()
        for document in documents(given if name == '-' else (ROOT / name).read_text())
    ]


_PROGRAM: Final = """#!/usr/bin/env python3
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as way:
    way.connect(os.environ['KUBECTL_SOCKET'])
    given = sys.stdin.read() if '-' in sys.argv else ''
    way.sendall(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], given]).encode() + b'\\n')
    answer = json.loads(way.makefile().readline())
print(answer['out'], end='\\n' if answer['out'] else '')
print(answer['err'], end='\\n' if answer['err'] else '', file=sys.stderr)
sys.exit(1 if answer['err'] else 0)
"""


@dataclass
class Terminal:
    """Runs blocks of commands as a person would, one after the other, each in the environment that the last one left."""

    kubectl: Kubectl
    directory: Path

    async def begin(self) -> None:
        """Put the commands on the path, and listen for what they are told."""
        programs, way = self.directory / 'bin', self.directory / 'kubectl.sock'
        programs.mkdir()
        for name in ('kubectl', 'helm'):
            (programs / name).write_text(_PROGRAM)
            (programs / name).chmod(0o755)
        server = await asyncio.start_unix_server(self._serve, str(way))
        self.kubectl.cluster.stage.stack.callback(server.close)
        (self.directory / 'environment').write_text(
            f'export PATH={programs}:{ROOT / ".venv/bin"}:$PATH KUBECTL_SOCKET={way}\n'
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        program, words, given = json.loads(await reader.readline())
        out = err = ''
        try:
            out = await self.kubectl.run(program, words, given)
        except Exception as error:  # noqa: BLE001 - whatever it is, the command fails with it
            err = f'{type(error).__name__}: {error}'
        writer.write(json.dumps({'out': out, 'err': err}).encode() + b'\n')
        await writer.drain()
        writer.close()

    async def run(self, block: str, within: float = 90.0) -> str:
        """What a block prints. AssertionError: one of its commands failed."""
        kept = self.directory / 'environment'
        script = f'set -euo pipefail\n. {kept}\n{block}\nwait\n{{ export -p; declare -f; }} > {kept}\n'
        process = await asyncio.create_subprocess_exec(
            'bash', '-c', script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(within):
            out, err = await process.communicate()
        assert process.returncode == 0, f'{block}\n{out.decode()}\n{err.decode()}'
        return out.decode()
