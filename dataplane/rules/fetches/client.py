"""Rules: fetches about the client's connection (configuration manual 7.3.3, 7.3.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from dataplane.rules.phases import Use
from dataplane.rules.problems import Rejected, shown
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Every, Fetch, Getter, simple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataplane.rules.scope import Scope
    from dataplane.rules.view import View

_TLV_HEAD: Final = 3
_KINDS: Final = {'ALPN': 1, 'AUTHORITY': 2, 'CRC32C': 3, 'NOOP': 4, 'UNIQUE_ID': 5, 'NETNS': 0x30}
"""Names of kinds of TLVs (proxy-protocol.txt, 2.2)."""
_NUMBER: Final = re.compile(r'0[xX][0-9A-Fa-f]{1,2}|[0-9]{1,3}', re.ASCII)
_FACTS: Final[tuple[tuple[str, Type, Use], ...]] = (
    ('fc_http_major', Type.INT, Use.CLIENT),
    ('fc_err', Type.INT, Use.CLIENT), ('fc_err_str', Type.STR, Use.CLIENT), ('fc_err_name', Type.STR, Use.CLIENT),
    ('fc_nb_streams', Type.INT, Use.CLIENT), ('fc.timer.handshake', Type.INT, Use.CLIENT),
    ('fc.timer.total', Type.INT, Use.CLIENT), ('src_is_local', Type.BOOL, Use.CLIENT), ('dst_is_local', Type.BOOL, Use.CLIENT),
    ('fc_src_is_local', Type.BOOL, Use.CLIENT), ('fc_dst_is_local', Type.BOOL, Use.CLIENT), ('bc_be_queue', Type.INT, Use.SERVER_CONNECTION),
    ('bc_srv_queue', Type.INT, Use.SERVER_CONNECTION), ('dst_conn', Type.INT, Use.LISTENER), ('so_id', Type.INT, Use.LISTENER), ('so_name', Type.STR, Use.LISTENER),
    ('ssl_fc_sni', Type.STR, Use.CLIENT_SSL), ('ssl_fc_alpn', Type.STR, Use.CLIENT_SSL), ('ssl_fc_npn', Type.STR, Use.CLIENT_SSL),
    ('ssl_fc_protocol', Type.STR, Use.CLIENT_SSL), ('ssl_fc_cipher', Type.STR, Use.CLIENT_SSL),
    ('ssl_fc_alg_keysize', Type.INT, Use.CLIENT_SSL), ('ssl_fc_use_keysize', Type.INT, Use.CLIENT_SSL),
    ('ssl_fc_session_id', Type.BIN, Use.CLIENT_SSL), ('ssl_fc_unique_id', Type.BIN, Use.CLIENT_SSL),
    ('ssl_fc_err', Type.INT, Use.CLIENT_SSL), ('ssl_fc_err_str', Type.STR, Use.CLIENT_SSL), ('ssl_fc_curve', Type.STR, Use.CLIENT_SSL),
    ('ssl_c_sha1', Type.BIN, Use.CLIENT_SSL), ('ssl_c_der', Type.BIN, Use.CLIENT_SSL), ('ssl_c_serial', Type.BIN, Use.CLIENT_SSL),
    ('ssl_c_verify', Type.INT, Use.CLIENT_SSL), ('ssl_c_err', Type.INT, Use.CLIENT_SSL), ('ssl_c_ca_err', Type.INT, Use.CLIENT_SSL),
    ('ssl_c_ca_err_depth', Type.INT, Use.CLIENT_SSL), ('ssl_c_version', Type.INT, Use.CLIENT_SSL),
    ('ssl_c_key_alg', Type.STR, Use.CLIENT_SSL), ('ssl_c_sig_alg', Type.STR, Use.CLIENT_SSL),
    ('ssl_c_notafter', Type.STR, Use.CLIENT_SSL), ('ssl_c_notbefore', Type.STR, Use.CLIENT_SSL),
    ('bc_src', Type.ADDRESS, Use.SERVER_CONNECTION), ('bc_src_port', Type.INT, Use.SERVER_CONNECTION),
    ('bc_dst', Type.ADDRESS, Use.SERVER_CONNECTION), ('bc_dst_port', Type.INT, Use.SERVER_CONNECTION),
    ('bc_nb_streams', Type.INT, Use.SERVER_CONNECTION), ('bc_http_major', Type.INT, Use.SERVER_CONNECTION), ('bc_reused', Type.BOOL, Use.SERVER_CONNECTION),
    ('bc_err', Type.INT, Use.SERVER_CONNECTION), ('bc_err_str', Type.STR, Use.SERVER_CONNECTION),
    ('bc_err_name', Type.STR, Use.SERVER_CONNECTION), ('bc.timer.connect', Type.INT, Use.SERVER_CONNECTION),
)  # fmt: skip
_TRUTHS: Final = (
    'ssl_fc', 'ssl_fc_has_sni', 'ssl_fc_has_crt', 'ssl_fc_is_resumed', 'ssl_fc_has_early', 'ssl_c_used', 'ssl_bc',
    'ssl_bc_is_resumed',
)  # fmt: skip


def fact(name: str) -> Getter:
    """What the view says under that name."""
    return lambda view: view.fact(name)


def truth(name: str) -> Getter:
    """What the view says under that name; false where it says nothing."""
    return lambda view: bool(view.fact(name))


def _src_port(view: View) -> Sample | None:
    return view.src_port or None if view.src is not None else None


def _dst_port(view: View) -> Sample | None:
    return view.dst_port or None if view.dst is not None else None


def _src(view: View) -> Sample | None:
    return view.src


def _dst(view: View) -> Sample | None:
    return view.dst


def _said(view: View) -> Iterator[tuple[int, bytes]]:
    """Kind and value of each TLV of the PROXY header, in their order."""
    data, at = view.fact('fc_pp_tlvs'), 0
    while isinstance(data, bytes) and at + _TLV_HEAD <= len(data):
        start = at + _TLV_HEAD
        at = start + int.from_bytes(data[at + 1 : start])
        yield data[start - _TLV_HEAD], data[start:at]


def _first_said(kind: int) -> Getter:
    return lambda view: next((value for found, value in _said(view) if found == kind), None)


def _every_said(kind: int) -> Every:
    return lambda view: [value for found, value in _said(view) if found == kind]


def _kind_of(arguments: Arguments, _: Scope) -> Arguments:
    """A TLV's kind by its number or by its name in the protocol."""
    word = str(arguments[0])
    kind = _KINDS.get(word)
    if kind is None and _NUMBER.fullmatch(word):
        kind = int(word, 16 if word[:2] in ('0x', '0X') else 10)
    if kind is None or kind > 255:
        msg = f"expects a number from 0 to 255, or one of {', '.join(_KINDS)}, got '{shown(word)}'"
        raise Rejected(msg)
    return (kind,)


CLIENT: Final[dict[str, Fetch]] = {
    'src': simple(Type.ADDRESS, Use.CLIENT, _src),
    'src_port': simple(Type.INT, Use.CLIENT, _src_port),
    'dst': simple(Type.ADDRESS, Use.CLIENT, _dst),
    'dst_port': simple(Type.INT, Use.CLIENT, _dst_port),
    'fc_src': simple(Type.ADDRESS, Use.CLIENT, fact('fc_src')),
    'fc_src_port': simple(Type.INT, Use.CLIENT, fact('fc_src_port')),
    'fc_dst': simple(Type.ADDRESS, Use.CLIENT, fact('fc_dst')),
    'fc_dst_port': simple(Type.INT, Use.CLIENT, fact('fc_dst_port')),
    **{name: simple(gives, use, fact(name)) for name, gives, use in _FACTS},
    **{name: simple(Type.BOOL, Use.CLIENT_SSL, truth(name)) for name in _TRUTHS},
    'fc_rcvd_proxy': simple(Type.BOOL, Use.CLIENT, truth('fc_rcvd_proxy')),
    'fc_pp_authority': simple(Type.STR, Use.CLIENT, _first_said(_KINDS['AUTHORITY'])),
    'fc_pp_unique_id': simple(Type.STR, Use.CLIENT, _first_said(_KINDS['UNIQUE_ID'])),
    'fc_pp_tlv': Fetch(
        Type.STR,
        Use.CLIENT,
        lambda args: _first_said(cast('int', args[0])),
        'str',
        _kind_of,
        every=lambda args: _every_said(cast('int', args[0])),
    ),
}
