"""The composition root: store, sequencer, hub and REST tied together, and the server that carries them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect, WebSocketState

from controlplane.api import (
    aliases,
    backends,
    dataplanes,
    docs,
    errors,
    events,
    health,
    metrics,
    operations,
    routes,
    servers,
)
from controlplane.api.limits import BodyLimit
from controlplane.api.services import Services
from controlplane.auth import Authority, Gate, LoopbackAuthority, Tokens, TokensAuthority
from controlplane.collector import collecting
from controlplane.domain.refusals import StoreUnavailable
from controlplane.domain.sequencer import Clock, Sequencer
from controlplane.domain.store import Store
from controlplane.push import GOING_AWAY, Hub, PushSettings
from controlplane.serving import Probed, Server
from controlplane.stores.memory import MemoryStore
from controlplane.stores.sqlite import SqliteStore
from controlplane.tls import Certificates, TlsFiles

log = logging.getLogger('sluice.app')

UNWELCOME = 4401
Within = Callable[[FastAPI], None]

ABOUT = (
    'What every data plane is to do: backends, servers, routes. Changes are numbered, durable before they are answered, '
    'and with ?wait=acked|drained answered only when they are true everywhere. Errors are problem documents (RFC 9457).'
)


class CannotStart(Exception):
    """Why the control plane cannot start, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line and the environment say. `store`: 'sqlite:///FILE' or 'memory:'.

    `health`: (host, port) of probes and metrics without a token, if they are to have a port of their own. `recheck_s`: how
    often a link's credential is looked at again.
    """

    store: str
    host: str = '127.0.0.1'
    port: int = 8000
    tokens: str | None = None
    tls: TlsFiles | None = None
    health: tuple[str, int] | None = None
    removal_percent: int = 50
    recheck_s: float = 60.0
    push: PushSettings = field(default_factory=PushSettings)


def push_settings(*, lease_ms: int) -> PushSettings:
    """How data planes are spoken to, when a lease for traffic is that long."""
    return PushSettings.with_lease(lease_ms)


def open_store(text: str) -> Store:
    """The store that `text` names. CannotStart: it names none."""
    if text == 'memory:':
        return MemoryStore()
    kind, _, path = text.partition(':///')
    if kind != 'sqlite' or not path:
        raise CannotStart(f'store {text!r} is neither sqlite:///FILE nor memory:')
    return SqliteStore(path)


def open_socket(host: str, port: int, *, alone: bool = False) -> socket.socket:
    """A listening socket. `alone`: nobody is asked for a credential there. CannotStart: taken, not ours, or alone off loopback."""
    address = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
    try:
        family, kind, proto, _, found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CannotStart(f'cannot listen on {address}: {error.strerror}') from error
    if alone and not _is_loopback(str(found[0])):
        raise CannotStart(f'refusing to listen on {address} without --tokens: only loopback is safe without them')
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CannotStart(f'cannot listen on {address}: {os.strerror(error.errno or 0)}') from error
    return listener


def _is_loopback(address: str) -> bool:
    return address == '::1' or address.startswith('127.')


class WebSocketLink:
    """A WebSocket of the web framework as the hub wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes | None:
        """Return the next frame, or None once the link is closed."""
        message = await self._websocket.receive()
        if message['type'] == 'websocket.disconnect':
            return None
        text: str | None = message.get('text')
        return text if text is not None else bytes(message['bytes'])

    async def send(self, text: str) -> None:
        """Send one frame."""
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError(str(error) or 'closed') from error

    async def close(self, code: int, reason: str) -> None:
        """Close it; closing a closed link is harmless."""
        if self._websocket.client_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it was closed by the other side meanwhile
                await self._websocket.close(code, reason.encode()[:120].decode(errors='ignore'))

    async def watch(self, stands: Callable[[], Awaitable[bool]], every_s: float) -> None:
        """Look now and then whether its credential is still good, and close it when it is not: its owner may dial with a newer."""
        while True:
            await asyncio.sleep(every_s * random.uniform(0.8, 1.0))  # not all links of a fleet at once
            if not await stands():
                await self.close(UNWELCOME, 'the credential of this link is no longer good: dial again')
                return


def build(
    services: Services,
    hub: Hub | None,
    authority: Authority,
    recheck_s: float = 60.0,
    within: Within = lambda app: None,
) -> FastAPI:
    """The ASGI application. Its `state.services` and `state.hub` may be changed later; without a hub no link is served.

    `within` adds what is to stand between the gate and the routers.
    """
    app = FastAPI(title='Sluice control plane', description=ABOUT, version='v1', docs_url=None, redoc_url=None)
    app.state.services, app.state.hub = services, hub
    for module in (servers, backends, routes, operations, dataplanes, events, aliases, health, metrics, docs):
        app.include_router(module.router)
    errors.install(app)

    @app.websocket('/v1/push')
    async def push(websocket: WebSocket) -> None:
        await websocket.accept()
        link, state = WebSocketLink(websocket), websocket.state
        watching = asyncio.ensure_future(link.watch(state.stands, recheck_s))
        try:
            serving: Hub | None = app.state.hub
            if serving is None:
                await link.close(GOING_AWAY, 'this control plane does not lead')
            else:
                await serving.serve(link, state.principal.bound)
        finally:
            watching.cancel()

    within(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, authority=authority)
    return app


async def warm(app: FastAPI) -> None:
    """Let the framework build its routes, which it puts off to the first request: half a second for which nothing else moves."""

    async def receive() -> MutableMapping[str, Any]:
        return {'type': 'http.request', 'body': b'', 'more_body': False}

    async def send(_: MutableMapping[str, Any]) -> None:
        """Nobody listens."""

    scope = {
        'type': 'http', 'method': 'GET', 'path': '/nowhere', 'raw_path': b'/nowhere', 'root_path': '', 'query_string': b'',
        'headers': [], 'app': app,
    }  # fmt: skip
    with contextlib.suppress(HTTPException):  # there is no such route, as was to be found out
        await app.router(scope, receive, send)


def build_probed(services: Services) -> FastAPI:
    """The ASGI application for probes and metrics alone."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    for module in (health, metrics):
        app.include_router(module.router)
    errors.install(app)
    return app


@dataclass(frozen=True, slots=True)
class Running:
    """A control plane whose store is loaded."""

    sequencer: Sequencer
    services: Services
    hub: Hub


@contextlib.asynccontextmanager
async def running(settings: Settings, store: Store) -> AsyncIterator[Running]:
    """Load the store and build everything over it. CannotStart: what it holds cannot be used."""
    try:
        loaded = await store.open()
        clock = Clock(wall=lambda: time.time_ns() // 1_000_000, monotonic=lambda: time.monotonic_ns() // 1_000_000)
        promise = asyncio.get_running_loop().create_future
        sequencer = Sequencer(store, loaded, asyncio.Lock(), promise, clock, removal_percent=settings.removal_percent)
    except (StoreUnavailable, ValueError) as error:
        await store.close()
        raise CannotStart(f'the store cannot be used: {error}') from error
    hub = Hub(sequencer, settings.push)
    services = Services(sequencer=sequencer, new_id=lambda: secrets.token_hex(8), pushed=hub.figures)
    housekeeping = asyncio.ensure_future(hub.expire())
    try:
        yield Running(sequencer, services, hub)
    finally:
        housekeeping.cancel()
        await store.close()


def read_tls(files: TlsFiles | None) -> Certificates | None:
    """TLS as it was asked for. CannotStart: a file cannot be used."""
    try:
        return None if files is None else Certificates(files)
    except ValueError as error:
        raise CannotStart(f'TLS cannot be used: {error}') from error


def authority_of(settings: Settings) -> Authority:
    """Who decides who may do what, outside a cluster. CannotStart: the tokens file cannot be used."""
    if settings.tokens is None:
        return LoopbackAuthority()
    try:
        return TokensAuthority(Tokens(settings.tokens), time.time)
    except (OSError, ValueError) as error:
        raise CannotStart(f'the tokens file cannot be used: {error}') from error


@contextlib.asynccontextmanager
async def probed(where: tuple[str, int] | None, services: Services) -> AsyncIterator[tuple[str, int] | None]:
    """Probes and metrics on a port of their own while this is open; yields its address. CannotStart: it is taken."""
    if where is None:
        yield None
        return
    with open_socket(*where) as listener:
        server = Probed(build_probed(services))
        task = asyncio.ensure_future(server.serve([listener]))
        try:
            yield listener.getsockname()[:2]
        finally:
            server.should_exit = True
            await task


def server_of(plane: Running, authority: Authority, context: Certificates | None, recheck_s: float) -> Server:
    """The server of REST and of the link."""

    async def leaving() -> None:
        plane.services.stopping.set()
        await plane.hub.close()

    return Server(build(plane.services, plane.hub, authority, recheck_s), context, leaving)


async def serve(settings: Settings, started: asyncio.Future[tuple[str, int]] | None = None) -> None:
    """Run until a signal ends it. `started` gets the address it listens on. CannotStart: it could not begin."""
    authority, context = authority_of(settings), read_tls(settings.tls)
    listener = open_socket(settings.host, settings.port, alone=settings.tokens is None)
    with listener:
        async with running(settings, open_store(settings.store)) as plane:
            address = listener.getsockname()[:2]
            async with probed(settings.health, plane.services) as open_address:
                log.info('control plane: term %d, listening on %s:%d', plane.sequencer.log.head.term, *address)
                if open_address is not None:
                    log.info('probes and metrics on %s:%d', *open_address)
                if context is None and not _is_loopback(address[0]):
                    log.warning(
                        'tokens travel in the clear: give --tls-cert and --tls-key, or end TLS before this port'
                    )
                if started is not None:
                    started.set_result(address)
                async with collecting(lambda: plane.sequencer.log.head):
                    await server_of(plane, authority, context, settings.recheck_s).serve([listener])
