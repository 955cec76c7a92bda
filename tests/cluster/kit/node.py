"""A node in network, mount, process and IPC namespaces of its own: scheduler, containerd, kubelet, kube-proxy, DNS, pods.

Process 1 of the namespaces is a do-nothing (`anchor`): when it is killed the kernel ends all else. Inside, /run, /var/log
and the kernel settings that the kubelet wants are covered by mounts, so nothing on the machine is changed; there is no
default route, so nothing gets out. Pods are 10.244.0.0/24, services 10.96.0.0/16, the node 10.244.0.1, and exist only there.
"""

from __future__ import annotations

import string
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.kit.build import PAUSE_IMAGE, Bin
from tests.cluster.kit.images import run
from tests.cluster.kit.packages import CannotHave, program
from tests.cluster.kit.parts import Parts, group

ADDRESS, PODS, SERVICES, API_SERVICE = '10.244.0.1', '10.244.0.0/24', '10.96.0.0/16', '10.96.0.1'
FILES = Path(__file__).parent / 'files'
_GROUPS = Path('/sys/fs/cgroup')
# what the kubelet insists on (protectKernelDefaults); files of ours are mounted over these, the machine keeps its own
_KERNEL = {
    'vm/overcommit_memory': 1,
    'vm/panic_on_oom': 0,
    'kernel/panic': 10,
    'kernel/panic_on_oops': 1,
    'kernel/keys/root_maxkeys': 1_000_000,
    'kernel/keys/root_maxbytes': 25_000_000,
}


def check() -> None:
    """CannotHave: this machine cannot be a node, and why."""
    if not (_GROUPS / 'memory').is_dir():
        raise CannotHave('a node needs cgroup v1 at /sys/fs/cgroup; it has not been tried on cgroup v2')


def anchor(work: Path, pause: Path) -> None:
    """Make the namespaces. node.pid gets the id and the start time of process 1 in them, as seen from outside."""
    log = work / 'run/node.log'
    command = ['unshare', '--net', '--mount', '--pid', '--ipc', '--propagation', 'private', '--fork', '--mount-proc']
    with log.open('wb') as sink:
        process = subprocess.Popen(
            [*command, str(pause)], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True, cwd='/'
        )
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children')
    while process.poll() is None:
        pid = children.read_text().strip()
        if pid and Path(f'/proc/{pid}/comm').read_text() == 'pause\n':
            started = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]
            (work / 'node.pid').write_text(f'{pid} {started}\n')
            return
        time.sleep(0.01)
    raise CannotHave(f'no namespaces: {log.read_text().strip()}')


def make_groups(work: Path) -> None:
    """A cgroup in every hierarchy, below which the kubelet puts the pods; the end of the cluster removes it."""
    for hierarchy in _GROUPS.iterdir():
        if not (hierarchy / 'cgroup.procs').exists():
            continue
        mine = hierarchy / group(work)
        mine.mkdir(exist_ok=True)
        for setting in ('cpuset.cpus', 'cpuset.mems'):
            if (hierarchy / setting).exists():
                (mine / setting).write_text((hierarchy / setting).read_text())


def prepare(work: Path) -> None:
    """In the new namespaces: a /run, logs, kernel settings and a network of the node's own."""
    run(['mount', '--make-rshared', '/'])
    for place in ('/run', '/var/log'):
        run(['mount', '-t', 'tmpfs', 'tmpfs', place])
    (work / 'kernel').mkdir()
    for name, value in _KERNEL.items():
        ours = work / 'kernel' / name.replace('/', '.')
        ours.write_text(f'{value}\n')
        run(['mount', '--bind', ours, f'/proc/sys/{name}'])
    Path('/proc/sys/net/ipv4/ip_forward').write_text('1')
    ip = program('ip') or 'ip'
    for words in (
        'link set lo up',
        'link add cni0 type bridge',
        f'address add {ADDRESS}/24 dev cni0',
        'link set cni0 up',
        f'route add {SERVICES} dev cni0',  # so that the node's own packets to services get as far as kube-proxy's rules
    ):
        run([ip, *words.split()])


def _configuration(work: Path) -> Path:
    """Write the configuration files of the node's parts."""
    out = work / 'node'
    for name in ('cni', 'kubelet', 'pod-logs'):
        (out / name).mkdir(parents=True)
    values = {'W': work, 'PKI': work / 'pki', 'PODS': PODS, 'CGROUP': group(work), 'ADDRESS': ADDRESS}
    values['PAUSE'] = PAUSE_IMAGE
    for name in ('Corefile', 'containerd.toml', 'kubelet.yaml', 'kube-proxy.yaml', 'cni/pods.conflist'):
        text = string.Template((FILES / Path(name).name).read_text()).substitute(values)
        (out / name).write_text(text)
    (out / 'resolv.conf').write_text('')
    return out


def start(work: Path, programs: Bin, parts: Parts, is_ready: Callable[[], bool]) -> None:
    """Start the node's parts, and return when the kubelet reports the node ready."""
    out, kubekit = _configuration(work), programs.kubekit
    parts.start('containerd', 'containerd', '--config', out / 'containerd.toml')
    parts.wait('containerd', _containerd_answers, 30)
    run(['ctr', '--namespace', 'k8s.io', 'images', 'import', programs.pause_image])
    parts.start(
        'kubelet', kubekit, 'kubelet', f'--config={out}/kubelet.yaml', f'--kubeconfig={work}/pki/kubelet.conf',
        f'--root-dir={out}/kubelet', f'--node-ip={ADDRESS}', '--hostname-override=node1',
    )  # fmt: skip
    parts.start('kube-proxy', kubekit, 'kube-proxy', f'--config={out}/kube-proxy.yaml')
    parts.start('coredns', kubekit, 'coredns', '-conf', out / 'Corefile')
    parts.wait('kubelet', is_ready, 120)


def _containerd_answers() -> bool:
    return subprocess.run(['ctr', 'version'], capture_output=True, check=False).returncode == 0
