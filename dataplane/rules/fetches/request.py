"""Rules: fetches of the request's line, of its body and of its host (configuration manual 7.3.5, 7.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.client import truth
from dataplane.rules.hashes import avalanche, sdbm
from dataplane.rules.model import Argument
from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Binary, IPv4, Method, Sample, Type, packed, parse_address
from dataplane.rules.table import Arguments, Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_SLASH: Final = 47
_PORTS: Final = {b'http': 80, b'https': 443}


def path_and_query(uri: bytes) -> bytes:
    """The target from its path on; empty where it has none (`*`, or a whole URI that ends with its authority)."""
    if uri.startswith(b'/'):
        return uri
    scheme, separator, rest = uri.partition(b'://')
    at = rest.find(b'/')
    return rest[at:] if separator and at >= 0 and scheme.isalnum() else b''


def path_of(uri: bytes) -> bytes:
    """The path of a target, without its query."""
    if not uri.startswith(b'/'):
        uri = path_and_query(uri)
    return uri.partition(b'?')[0]


def host_of(view: View) -> bytes:
    """The first Host field's value."""
    for name, value in view.request:
        if name == b'host':
            return value.partition(b',')[0].rstrip(b' \t')
    return b''


def _method(view: View) -> Sample | None:
    return Method(view.method) if view.method else None


def _path(view: View) -> Sample | None:
    uri = view.uri
    if uri.startswith(b'/'):  # nearly all; a call costs as much as the partition
        return uri.partition(b'?')[0]
    return path_of(uri) or None


def _pathq(view: View) -> Sample | None:
    return path_and_query(view.uri) or None


def _url(view: View) -> Sample | None:
    return view.uri or None


def _query(arguments: Arguments) -> Getter:
    mark = b'?' if arguments and 'with_qm' in str(arguments[0]) else b''

    def fetch(view: View) -> Sample | None:
        _, separator, query = view.uri.partition(b'?')
        return mark + query if separator else None

    return fetch


def _query_options(arguments: Arguments, _: Scope) -> Arguments:
    for option in arguments:
        if option not in ('', 'with_qm'):
            msg = f"'{shown(str(option))}' is not a valid option"
            raise Rejected(msg)
    return arguments


def _base(view: View) -> Sample | None:
    return host_of(view) + path_of(view.uri) or None


def _baseq(view: View) -> Sample | None:
    return host_of(view) + path_and_query(view.uri) or None


def _base32(view: View) -> int:
    return avalanche(sdbm(host_of(view) + path_of(view.uri)))


def _url32(view: View) -> int:
    return avalanche(sdbm(host_of(view) + path_and_query(view.uri)))


def _with_source(hash_of: Getter) -> Getter:
    """The hash's four bytes and the client's address behind them."""

    def fetch(view: View) -> Sample | None:
        number, source = hash_of(view), view.src
        if not isinstance(number, int) or source is None:
            return None
        return Binary(number.to_bytes(4, 'big') + packed(source))

    return fetch


def _authority(view: View) -> tuple[bytes, bytes, bytes]:
    scheme, separator, rest = view.uri.partition(b'://')
    if not separator or scheme.lower() not in _PORTS:
        return b'', b'', b''
    for mark in (b'/', b'?'):
        rest = rest.partition(mark)[0]
    host, _, port = rest.rpartition(b':') if rest.rpartition(b':')[2].isdigit() else (rest, b'', b'')
    return scheme.lower(), host, port


def _url_ip(view: View) -> Sample | None:
    return _v4(_authority(view)[1])


def _v4(text: bytes) -> Sample | None:
    address = parse_address(text.decode('latin-1'))
    return address if type(address) is IPv4 else None


def _url_port(view: View) -> Sample | None:
    scheme, host, port = _authority(view)
    if not scheme or _v4(host) is None:
        return None
    return int(port) if port else _PORTS[scheme]


def _version(view: View) -> Sample | None:
    return view.version or None


def _captured_version(view: View) -> Sample | None:
    return b'HTTP/' + view.version if view.version else None


def _captured(where: str) -> Fetch:
    def build(arguments: Arguments) -> Getter:
        slot = _slot(arguments[0])
        return lambda view: view.captured(where, slot)

    return Fetch(Type.STR, Use.REQUEST_KEPT if where == 'req' else Use.RESPONSE_KEPT, build, 'int')


def _slot(argument: Argument) -> int:
    return argument if isinstance(argument, int) else 0


def asked_method(view: View) -> bytes:
    """The method the client asked with, whatever rules have made of it."""
    found = view.fact('asked_method')
    return found if isinstance(found, bytes) else view.method


def asked_uri(view: View) -> bytes:
    """The target the client asked for, likewise."""
    found = view.fact('asked_uri')
    return found if isinstance(found, bytes) else view.uri


def _kept_method(view: View) -> Sample | None:
    return asked_method(view) or None


def _kept_uri(view: View) -> Sample | None:
    return path_and_query(asked_uri(view)) or None


def _body(view: View) -> Sample | None:
    return Binary(view.body)


def _req_len(view: View) -> Sample | None:
    """What of the request is buffered: its fields and its body."""
    if not view.method:
        return 0
    fields = sum(len(name) + len(value) for name, value in view.request)
    return len(view.method) + len(view.uri) + len(view.version) + 5 + fields + len(view.body)


REQUEST: Final[dict[str, Fetch]] = {
    'method': simple(Type.METHOD, Use.REQUEST_KEPT, _method),
    'path': simple(Type.STR, Use.REQUEST, _path),
    'pathq': simple(Type.STR, Use.REQUEST, _pathq),
    'url': simple(Type.STR, Use.REQUEST, _url),
    'query': Fetch(Type.STR, Use.REQUEST, _query, 'str?', _query_options),
    'base': simple(Type.STR, Use.REQUEST, _base),
    'baseq': simple(Type.STR, Use.REQUEST, _baseq),
    'base32': simple(Type.INT, Use.REQUEST, _base32),
    'base32+src': simple(Type.BIN, Use.REQUEST, _with_source(_base32)),
    'url32': simple(Type.INT, Use.REQUEST, _url32),
    'url32+src': simple(Type.BIN, Use.REQUEST, _with_source(_url32)),
    'url_ip': simple(Type.IPV4, Use.REQUEST, _url_ip),
    'url_port': simple(Type.INT, Use.REQUEST, _url_port),
    'req.ver': simple(Type.STR, Use.REQUEST, _version),
    'req_ver': simple(Type.STR, Use.REQUEST, _version),
    'req.proto_http': simple(Type.BOOL, Use.REQUEST_KEPT, lambda view: bool(view.method)),
    'req_proto_http': simple(Type.BOOL, Use.REQUEST_KEPT, lambda view: bool(view.method)),
    'http_first_req': simple(Type.BOOL, Use.REQUEST_KEPT, truth('http_first_req')),
    'req.body': simple(Type.BIN, Use.REQUEST_BODY, _body),
    'req.body_len': simple(Type.INT, Use.REQUEST_BODY, lambda view: len(view.body)),
    'req.body_size': simple(Type.INT, Use.REQUEST_BODY, lambda view: view.body_size),
    'req.len': simple(Type.INT, Use.REQUEST_DATA, _req_len),
    'req_len': simple(Type.INT, Use.REQUEST_DATA, _req_len),
    'capture.req.hdr': _captured('req'),
    'capture.req.method': simple(Type.STR, Use.REQUEST_KEPT, _kept_method),
    'capture.req.uri': simple(Type.STR, Use.REQUEST_KEPT, _kept_uri),
    'capture.req.ver': simple(Type.STR, Use.REQUEST_KEPT, _captured_version),
    'capture.res.hdr': _captured('res'),
}
