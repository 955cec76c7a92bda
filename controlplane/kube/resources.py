"""The kinds of objects that are asked for, and the paths under which the API server has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of one API version. `group` is empty for the core group; `plural` is its name in paths."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As it stands in an object's `apiVersion`."""
        return f'{self.group}/{self.version}' if self.group else self.version

    @property
    def label(self) -> str:
        """As kubectl and RBAC messages write it: `endpointslices.discovery.k8s.io`."""
        return f'{self.plural}.{self.group}' if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = '') -> str:
        """The path of the collection (no `name`), of an object or of its subresource.

        No `namespace`: the collection over all namespaces, or an object without one. ValueError: a namespaced object is
        named without its namespace, or a namespace is given for a kind that has none.
        """
        if namespace and not self.namespaced:
            raise ValueError(f'{self.label} have no namespace')
        if name is not None and self.namespaced and not namespace:
            raise ValueError(f'{self.label} {name!r} needs its namespace')
        parts = ['apis', self.group, self.version] if self.group else ['api', self.version]
        if namespace:
            parts += ['namespaces', namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return '/' + '/'.join(quote(part, safe='') for part in parts)


SERVICES: Final = Resource('', 'v1', 'services', 'Service')
PODS: Final = Resource('', 'v1', 'pods', 'Pod')
CONFIG_MAPS: Final = Resource('', 'v1', 'configmaps', 'ConfigMap')
EVENTS: Final = Resource('', 'v1', 'events', 'Event')
NAMESPACES: Final = Resource('', 'v1', 'namespaces', 'Namespace', namespaced=False)
SERVICE_ACCOUNTS: Final = Resource('', 'v1', 'serviceaccounts', 'ServiceAccount')
ENDPOINT_SLICES: Final = Resource('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice')
LEASES: Final = Resource('coordination.k8s.io', 'v1', 'leases', 'Lease')
BACKEND_POLICIES: Final = Resource('sluice.dev', 'v1alpha1', 'backendpolicies', 'BackendPolicy')
SERVER_OVERRIDES: Final = Resource('sluice.dev', 'v1alpha1', 'serveroverrides', 'ServerOverride')
TOKEN_REVIEWS: Final = Resource('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', namespaced=False)
ACCESS_REVIEWS: Final = Resource(
    'authorization.k8s.io', 'v1', 'subjectaccessreviews', 'SubjectAccessReview', namespaced=False
)
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    'apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition', namespaced=False
)
