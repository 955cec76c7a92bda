from __future__ import annotations

import pytest

from controlplane.kube.resources import ACCESS_REVIEWS, ENDPOINT_SLICES, LEASES, PODS, SERVER_OVERRIDES, SERVICES


def test_paths() -> None:
    assert SERVICES.path() == '/api/v1/services'
    assert SERVICES.path('shop') == '/api/v1/namespaces/shop/services'
    assert PODS.path('shop', 'a', 'status') == '/api/v1/namespaces/shop/pods/a/status'
    assert ENDPOINT_SLICES.path('shop', 'web-x') == '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-x'
    assert ACCESS_REVIEWS.path() == '/apis/authorization.k8s.io/v1/subjectaccessreviews'


def test_a_name_cannot_lead_to_another_path() -> None:
    assert LEASES.path('a', '../b') == '/apis/coordination.k8s.io/v1/namespaces/a/leases/..%2Fb'


def test_what_has_a_namespace_needs_it() -> None:
    with pytest.raises(ValueError, match='needs its namespace'):
        SERVICES.path(None, 'web')
    with pytest.raises(ValueError, match='no namespace'):
        ACCESS_REVIEWS.path('shop')


def test_words() -> None:
    assert (SERVICES.api_version, SERVICES.label) == ('v1', 'services')
    assert SERVER_OVERRIDES.api_version == 'sluice.dev/v1alpha1'
    assert SERVER_OVERRIDES.label == 'serveroverrides.sluice.dev'
