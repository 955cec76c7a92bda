"""An application on the node: a Deployment of `tests/node/upstream.py` behind a Service, as a careful owner would write it."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.harness.api import Document, Kube

SCRIPT = Path(__file__).with_name('upstream.py')
# longer than the news of an endpoint that leaves takes to reach every data plane
PRE_STOP_S = 3


def documents(name: str, image: str, *, replicas: int, service_ms: float = 5) -> list[tuple[str, Document]]:
    """(plural, document) of everything the application is. Its pods may run where `restricted` is enforced."""
    labels = {'app': name}
    container = {
        'name': 'app',
        'image': image,
        'imagePullPolicy': 'Never',
        'command': ['python3', '/app/upstream.py'],
        'env': [{'name': 'SERVICE_MS', 'value': str(service_ms)}],
        'ports': [{'name': 'http', 'containerPort': 8080}],
        'readinessProbe': {'httpGet': {'path': '/ready', 'port': 8080}, 'periodSeconds': 1, 'timeoutSeconds': 10},
        'lifecycle': {'preStop': {'sleep': {'seconds': PRE_STOP_S}}},
        'securityContext': {
            'allowPrivilegeEscalation': False,
            'readOnlyRootFilesystem': True,
            'capabilities': {'drop': ['ALL']},
        },
        'volumeMounts': [{'name': 'app', 'mountPath': '/app', 'readOnly': True}],
    }
    pod = {
        'metadata': {'labels': labels},
        'spec': {
            'terminationGracePeriodSeconds': 20,
            'automountServiceAccountToken': False,
            'securityContext': {
                'runAsNonRoot': True,
                'runAsUser': 65532,
                'seccompProfile': {'type': 'RuntimeDefault'},
            },
            'containers': [container],
            'volumes': [{'name': 'app', 'configMap': {'name': f'{name}-script'}}],
        },
    }
    strategy = {'type': 'RollingUpdate', 'rollingUpdate': {'maxUnavailable': 0, 'maxSurge': 1}}
    deployment = {'replicas': replicas, 'selector': {'matchLabels': labels}, 'strategy': strategy, 'template': pod}
    ports = [{'name': 'http', 'port': 80, 'targetPort': 'http'}]
    return [
        ('configmaps', _object('v1', 'ConfigMap', f'{name}-script', data={'upstream.py': SCRIPT.read_text()})),
        ('services', _object('v1', 'Service', name, spec={'selector': labels, 'ports': ports})),
        ('deployments', _object('apps/v1', 'Deployment', name, spec=deployment)),
    ]


def disruption_budget(name: str, *, at_least: int) -> Document:
    """So many of the application's pods stay, whoever evicts them."""
    spec = {'minAvailable': at_least, 'selector': {'matchLabels': {'app': name}}}
    return _object('policy/v1', 'PodDisruptionBudget', name, spec=spec)


def policy(name: str, host: str, **spec: object) -> Document:
    """A BackendPolicy for the application's Service: requests for `host` go there."""
    target = {'group': '', 'kind': 'Service', 'name': name, 'sectionName': 'http'}
    body = {'targetRefs': [target], 'hosts': [host], **spec}
    return _object('sluice.dev/v1alpha1', 'BackendPolicy', name, spec=body)


def _object(version: str, kind: str, name: str, **rest: object) -> Document:
    return {'apiVersion': version, 'kind': kind, 'metadata': {'name': name}, **rest}


async def deploy(kube: Kube, namespace: str, name: str, image: str, *, replicas: int, service_ms: float = 5) -> None:
    """Create it; does not wait for its pods."""
    for plural, document in documents(name, image, replicas=replicas, service_ms=service_ms):
        await kube.create(plural, document, namespace)


async def ready_pods(kube: Kube, namespace: str, name: str) -> list[str]:
    """The names of the application's pods that are ready and not on their way out."""
    found = []
    for pod in await kube.list('pods', namespace, labelSelector=f'app={name}'):
        conditions = {one['type']: one['status'] for one in pod['status'].get('conditions', [])}
        if conditions.get('Ready') == 'True' and 'deletionTimestamp' not in pod['metadata']:
            found.append(pod['metadata']['name'])
    return sorted(found)
