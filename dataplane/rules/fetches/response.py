"""Rules: fetches of the response beyond its header fields and cookies (configuration manual 7.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.client import fact, truth
from dataplane.rules.phases import Use
from dataplane.rules.samples import Binary, Sample, Type
from dataplane.rules.table import Fetch, simple

if TYPE_CHECKING:
    from dataplane.rules.view import View


def _status(view: View) -> Sample | None:
    return view.status or None


def _version(view: View) -> Sample | None:
    return view.response_version or None


def _captured_version(view: View) -> Sample | None:
    return b'HTTP/' + view.response_version if view.response_version else None


RESPONSE: Final[dict[str, Fetch]] = {
    'status': simple(Type.INT, Use.RESPONSE_KEPT, _status),
    'txn.status': simple(Type.INT, Use.RESPONSE_KEPT, _status),
    'server_status': simple(Type.INT, Use.RESPONSE_KEPT, fact('server_status')),
    'res.ver': simple(Type.STR, Use.RESPONSE, _version),
    'resp_ver': simple(Type.STR, Use.RESPONSE, _version),
    'capture.res.ver': simple(Type.STR, Use.RESPONSE_KEPT, _captured_version),
    'res.body': simple(Type.BIN, Use.RESPONSE_BODY, lambda view: Binary(view.response_body)),
    'res.body_len': simple(Type.INT, Use.RESPONSE_BODY, lambda view: len(view.response_body)),
    'res.body_size': simple(Type.INT, Use.RESPONSE_BODY, fact('res.body_size')),
    'res.len': simple(Type.INT, Use.RESPONSE_DATA, lambda view: len(view.response_body)),
    'res.comp': simple(Type.BOOL, Use.RESPONSE, truth('res.comp')),
    'res.comp_algo': simple(Type.STR, Use.RESPONSE, fact('res.comp_algo')),
    'res.cache_hit': simple(Type.BOOL, Use.RESPONSE, truth('res.cache_hit')),
    'res.cache_name': simple(Type.STR, Use.RESPONSE, fact('res.cache_name')),
}
