"""Which backend a request goes to: the frontend's own rules, then the pushed route table (design: configuration).

Routes are looked up with the normalised path; what is forwarded is the path as it came (RFC 9110, 4.2.3: equivalent is
for comparing, not for rewriting).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.core.tables import Tables
    from dataplane.worker.head import RequestHead

_ESCAPE: Final = re.compile(r'%([0-9A-Fa-f]{2})')
_UNRESERVED: Final = frozenset('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')
_SLASHES: Final = re.compile(r'/{2,}')


def path_of(target: bytes) -> str:
    """The normalised path of a target in origin-form (RFC 3986, 6.2.2): unreserved characters decoded, `//` and dot
    segments resolved; `%2f` stays as it is, so a slash in disguise never makes a segment.
    """
    path = target.partition(b'?')[0].decode('latin-1')
    if '%' in path:
        path = _ESCAPE.sub(_decoded, path)
    if '//' in path:
        path = _SLASHES.sub('/', path)
    return _without_dots(path) if '/.' in path else path


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _without_dots(path: str) -> str:
    segments: list[str] = []
    for segment in path.split('/')[1:]:
        if segment == '..':
            if segments:
                segments.pop()
        elif segment != '.':
            segments.append(segment)
    resolved = '/' + '/'.join(segments)
    return resolved + '/' if path.endswith(('/.', '/..')) and resolved != '/' else resolved


def choose_backend(
    tables: Tables, frontend: Frontend, head: RequestHead, named: str | None = None, *, forced: bool = False
) -> int | None:
    """The index of the backend for this request, None when none is in use. `named` is what a `use_backend` says.

    `forced`: those that are disabled or not published count, too.
    """
    if named is not None:
        backend = _in_use(tables, named, forced)
        if backend is not None:
            return backend
    if frontend.use_routes:
        backend = tables.route(head.authority.decode('latin-1'), path_of(head.origin))
        if backend is not None and tables.eligible(backend, forced=forced):
            return backend
    return _in_use(tables, frontend.default_backend, forced) if frontend.default_backend is not None else None


def _in_use(tables: Tables, name: str, forced: bool) -> int | None:
    backend = tables.backend_of(name)
    return backend if backend is None or tables.eligible(backend, forced=forced) else None
