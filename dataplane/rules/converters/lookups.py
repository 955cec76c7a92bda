"""Rules: converters that look up what is said about a proxy or server whose name is the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.rules.fetches.figures import server_of
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Converter, Step

if TYPE_CHECKING:
    from dataplane.rules.stores import Store
    from dataplane.rules.view import View


def _of_backend(name: str) -> Converter:
    def build(_: Arguments, __: Store) -> Step:
        return lambda sample, view: view.figure(name, sample.decode('utf-8', 'replace'), '')

    return Converter(Type.STR, Type.INT, build)


def _of_server(name: str, gives: Type) -> Converter:
    def build(_: Arguments, __: Store) -> Step:
        def step(sample: bytes, view: View) -> Sample | None:
            proxy, server = server_of(sample.decode('utf-8', 'replace'))
            value = view.figure(name, proxy, server)
            return bool(value) if value is not None and gives is Type.BOOL else value

        return step

    return Converter(Type.STR, gives, build)


def _fe_exists(_: Arguments, __: Store) -> Step:
    return lambda sample, view: view.figure('fe_conn', sample.decode('utf-8', 'replace'), '') is not None


LOOKUPS: Final[dict[str, Converter]] = {
    'fe_exists': Converter(Type.STR, Type.BOOL, _fe_exists),
    'nbsrv': _of_backend('nbsrv'),
    'srv_queue': _of_server('srv_queue', Type.INT),
    'srv_is_up': _of_server('srv_is_up', Type.BOOL),
}
