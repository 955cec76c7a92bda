"""Rules: fetches about the client's connection (configuration manual 7.3.3, 7.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.phases import Use
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.view import View

_FACTS: Final[tuple[tuple[str, Type, Use], ...]] = (
    ('fc_http_major', Type.INT, Use.CLIENT),
    ('fc_err', Type.INT, Use.CLIENT), ('fc_err_str', Type.STR, Use.CLIENT), ('fc_err_name', Type.STR, Use.CLIENT),
    ('fc_pp_authority', Type.STR, Use.CLIENT), ('fc_pp_unique_id', Type.STR, Use.CLIENT),
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
    ('bc_http_major', Type.INT, Use.SERVER_CONNECTION), ('bc_reused', Type.BOOL, Use.SERVER_CONNECTION),
    ('bc_err', Type.INT, Use.SERVER_CONNECTION), ('bc_err_str', Type.STR, Use.SERVER_CONNECTION),
    ('bc_err_name', Type.STR, Use.SERVER_CONNECTION), ('bc.timer.connect', Type.INT, Use.SERVER_CONNECTION),
)  # fmt: skip
_TRUTHS: Final = (
    'fc_rcvd_proxy', 'ssl_fc', 'ssl_fc_has_sni', 'ssl_fc_has_crt', 'ssl_fc_is_resumed', 'ssl_fc_has_early', 'ssl_c_used', 'ssl_bc',
    'ssl_bc_is_resumed',
)  # fmt: skip


def fact(name: str) -> Getter:
    """What the view says under that name."""
    return lambda view: view.fact(name)


def truth(name: str) -> Getter:
    """What the view says under that name; false where it says nothing."""
    return lambda view: bool(view.fact(name))


def _src_port(view: View) -> Sample | None:
    return view.src_port if view.src is not None else None


def _dst_port(view: View) -> Sample | None:
    return view.dst_port if view.dst is not None else None


def _src(view: View) -> Sample | None:
    return view.src


def _dst(view: View) -> Sample | None:
    return view.dst


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
}
