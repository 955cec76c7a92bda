"""The names in a client's certificate, whose signature TLS has already checked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

Certificate = Mapping[str, Any]
"""As `ssl.SSLObject.getpeercert()` gives it."""

_KINDS = frozenset({'DNS', 'URI', 'email'})


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """Its subject alternative names (DNS, URI, email); its common name only when it has no alternative name at all.

    An authority that checks what it puts among the alternative names often does not check the common name.
    """
    alternative = certificate.get('subjectAltName', ())
    if alternative:
        return tuple(name for kind, name in alternative if kind in _KINDS)
    return tuple(value for part in certificate.get('subject', ()) for kind, value in part if kind == 'commonName')


def has_ended(certificate: Certificate, now_s: float) -> bool:
    """Whether it has expired since the connection began; `now_s` is the wall clock in seconds."""
    return ssl.cert_time_to_seconds(certificate['notAfter']) <= now_s
