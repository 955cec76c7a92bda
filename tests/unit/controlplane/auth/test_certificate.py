from __future__ import annotations

import pytest

from controlplane.auth.certificate import has_ended, names_of


@pytest.mark.parametrize(
    'certificate,names',
    [
        ({'subjectAltName': (('DNS', 'a'), ('URI', 'spiffe://b'), ('email', 'c@d'), ('IP Address', '1.2.3.4'))}, ('a', 'spiffe://b', 'c@d')),
        ({'subject': ((('organizationName', 'o'),), (('commonName', 'admin'),))}, ('admin',)),
        # the common name is not looked at beside alternative names, even if none of them is of use
        ({'subjectAltName': (('DNS', 'a'),), 'subject': ((('commonName', 'admin'),),)}, ('a',)),
        ({'subjectAltName': (('IP Address', '1.2.3.4'),), 'subject': ((('commonName', 'admin'),),)}, ()),
        ({}, ()),
    ],
)  # fmt: skip
def test_names(certificate: dict[str, object], names: tuple[str, ...]) -> None:
    assert names_of(certificate) == names


def test_it_ends_when_it_says_so() -> None:
    certificate = {'notAfter': 'Jan  1 00:00:10 1970 GMT'}
    assert not has_ended(certificate, 9.9)
    assert has_ended(certificate, 10.0)
