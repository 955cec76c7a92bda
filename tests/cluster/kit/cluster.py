"""Starts a cluster in a work directory: etcd, API server and controller manager, and with a node all else (`node`).

Without a node everything listens on 127.0.0.1 at free ports, and no root is needed. Pods never run there: a test writes Pods
and their status by hand, and the real controllers make the rest (EndpointSlices, tokens, garbage collection).
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.cluster.kit import node, packages
from tests.cluster.kit.build import Bin, built
from tests.cluster.kit.packages import ROOT, CannotHave
from tests.cluster.kit.parts import Parts, end, inside, owners, running
from tests.cluster.kit.pki import Pki

NODE_NAME = 'node1'
_DOMAIN = 'cluster.local'
# A hand-made Pod gets into an EndpointSlice only when it has a Node, and without one it is removed after 40 seconds.
_HAND_MADE = {
    'apiVersion': 'v1',
    'kind': 'Node',
    'metadata': {
        'name': NODE_NAME,
        'labels': {'kubernetes.io/hostname': NODE_NAME, 'topology.kubernetes.io/zone': 'zone1'},
    },
}


class Cluster:
    """The cluster in `work`, while it is started."""

    def __init__(self, work: Path, programs: Bin, *, with_node: bool) -> None:
        self.work, self.with_node = work, with_node
        self.kubeconfig = work / 'kubeconfig'
        self.pki = Pki(work / 'pki')
        self.parts = Parts(work)
        self._bin = programs
        self.etcd, self.peer, self.api = (2379, 2380, 6443) if with_node else _free_ports(3)

    def start(self) -> None:
        """Start everything and return when it is of use. CannotHave: it did not come up; its logs say why."""
        self._identities()
        self._control_plane()
        if self.with_node:
            node.start(self.work, self._bin, self.parts, self._node_is_ready)

    def kubectl(self, *arguments: str, document: object = None) -> subprocess.CompletedProcess[str]:
        """kubectl as the cluster's administrator; `document` is its standard input, as JSON."""
        return subprocess.run(
            [str(self._bin.kubectl), '--kubeconfig', str(self.kubeconfig), *arguments],
            input=None if document is None else json.dumps(document), text=True, capture_output=True, check=False,
        )  # fmt: skip

    def _identities(self) -> None:
        names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
        names += [f'kubernetes.default.svc.{_DOMAIN}', '127.0.0.1', node.API_SERVICE, node.ADDRESS]
        self.pki.certificate('apiserver', 'kube-apiserver', names=tuple(names))
        self.pki.service_accounts()
        files = {'admin': self.kubeconfig, 'controller-manager': self.pki.place / 'controller-manager.conf'}
        self.pki.certificate('admin', 'admin', 'system:masters')
        self.pki.certificate('controller-manager', 'system:kube-controller-manager')
        if self.with_node:
            self.pki.certificate('scheduler', 'system:kube-scheduler')
            self.pki.certificate('kubelet', f'system:node:{NODE_NAME}', 'system:nodes', names=(NODE_NAME, node.ADDRESS))
            files |= {name: self.pki.place / f'{name}.conf' for name in ('scheduler', 'kubelet')}
        for name, path in files.items():
            self.pki.kubeconfig(name, f'https://127.0.0.1:{self.api}', path)

    def _control_plane(self) -> None:
        kubekit, pki = self._bin.kubekit, self.pki.place
        client, peer = f'http://127.0.0.1:{self.etcd}', f'http://127.0.0.1:{self.peer}'
        self.parts.start(
            'etcd', kubekit, 'etcd', f'--data-dir={self.work}/etcd', '--unsafe-no-fsync', '--log-level=warn',
            f'--listen-client-urls={client}', f'--advertise-client-urls={client}', f'--listen-peer-urls={peer}',
            f'--initial-advertise-peer-urls={peer}', f'--initial-cluster=default={peer}',
        )  # fmt: skip
        self._api_server(client)
        self.parts.wait('kube-apiserver', self._api_server_is_ready, 120)
        self.parts.start(
            'kube-controller-manager', kubekit, 'kube-controller-manager',
            f'--kubeconfig={pki}/controller-manager.conf', '--leader-elect=false', '--secure-port=0',
            '--use-service-account-credentials', f'--service-account-private-key-file={pki}/service-account.key',
            f'--root-ca-file={pki}/ca.crt', '--kube-api-qps=200', '--kube-api-burst=400',
            # Nobody sends heartbeats for a Node made by hand. One that was not heard of because the API server was away would, with the
            # usual 50 s, be taken for lost, and all pods on it for not ready: whose answer that is depends on who comes back first.
            *(['--node-monitor-grace-period=10m'] if self.with_node else ['--controllers=*,-node-lifecycle-controller']),
        )  # fmt: skip
        self.parts.wait('kube-controller-manager', self._has_default_account, 60)
        if self.with_node:
            self.parts.start(
                'kube-scheduler', kubekit, 'kube-scheduler', f'--kubeconfig={pki}/scheduler.conf',
                '--leader-elect=false', '--secure-port=0',
            )  # fmt: skip
        elif self.kubectl('create', '-f', '-', document=_HAND_MADE).returncode:
            raise CannotHave('the Node of hand-made pods could not be made')

    def _api_server(self, etcd: str) -> None:
        pki = self.pki.place
        if self.with_node:
            where = ['--bind-address=0.0.0.0', f'--advertise-address={node.ADDRESS}']
            where += [f'--kubelet-certificate-authority={pki}/ca.crt', f'--kubelet-client-certificate={pki}/admin.crt']
            where += [f'--kubelet-client-key={pki}/admin.key', '--kubelet-preferred-address-types=InternalIP']
        else:
            where = ['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', '--endpoint-reconciler-type=none']
        self.parts.start(
            'kube-apiserver', self._bin.kubekit, 'kube-apiserver', f'--etcd-servers={etcd}', *where,
            f'--secure-port={self.api}', f'--tls-cert-file={pki}/apiserver.crt',
            f'--tls-private-key-file={pki}/apiserver.key', f'--client-ca-file={pki}/ca.crt',
            '--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction', '--allow-privileged=true',
            f'--service-account-issuer=https://kubernetes.default.svc.{_DOMAIN}',
            f'--service-cluster-ip-range={node.SERVICES}', f'--service-account-key-file={pki}/service-account.pub',
            f'--service-account-signing-key-file={pki}/service-account.key',
        )  # fmt: skip

    def _api_server_is_ready(self) -> bool:
        return api_server_is_ready(self.work, self.api)

    def _has_default_account(self) -> bool:
        return self.kubectl('get', 'serviceaccount', 'default').returncode == 0

    def _node_is_ready(self) -> bool:
        path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl('get', 'node', NODE_NAME, '-o', path).stdout == 'True'


def api_server_is_ready(work: Path, port: int) -> bool:
    """Does /readyz answer 200?"""
    context = ssl.create_default_context(cafile=str(work / 'pki/ca.crt'))
    try:
        with urllib.request.urlopen(f'https://127.0.0.1:{port}/readyz', context=context, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def api_port(work: Path) -> int:
    """The API server's port in a cluster that was started."""
    server: str = json.loads((work / 'kubeconfig').read_text())['clusters'][0]['cluster']['server']
    return int(server.rpartition(':')[2])


def check_node() -> None:
    """Install what a node needs. CannotHave: it cannot run here."""
    if os.geteuid():
        raise CannotHave('a node needs root; a control plane alone does not')
    packages.need(packages.NODE, 'a node')
    node.check()


def up(work: Path, *, with_node: bool) -> Path:
    """Start a cluster in `work` unless one runs there, and return its kubeconfig. CannotHave: why there is none.

    What an earlier cluster left there is removed first. When it cannot be started all is ended again; WORK-logs remains.
    """
    work = work.resolve()
    programs = built()
    if any(running(written) for written in owners(work)):
        return work / 'kubeconfig'
    end(work)
    if work.exists() and any(work.iterdir()):
        raise CannotHave(f'{work} holds something that is no state of a cluster: give another directory')
    if with_node:
        check_node()
    (work / 'run').mkdir(parents=True)
    try:
        if with_node:
            node.anchor(work, programs.pause)
            node.make_groups(work)
            start_inside = [sys.executable, '-m', 'tests.cluster.kit', 'up-inside', str(work)]
            done = subprocess.run(
                [*inside(work, ROOT), *start_inside], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode:
                raise CannotHave(done.stdout.strip())
        else:
            Cluster(work, programs, with_node=False).start()
    except BaseException:
        end(work, keep_logs=True)
        raise
    return work / 'kubeconfig'


def up_inside(work: Path) -> None:
    """The second half of `up` for a node, run in the node's namespaces."""
    node.prepare(work)
    Cluster(work, built(), with_node=True).start()


def _free_ports(count: int) -> tuple[int, ...]:
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return ports
