"""The composition root: store, sequencer, hub and REST tied together, and the server that carries them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, WebSocket
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
from controlplane.auth import Gate, Tokens
from controlplane.collector import collecting
from controlplane.domain.refusals import StoreUnavailable
from controlplane.domain.sequencer import Clock, Sequencer
from controlplane.domain.store import Store
from controlplane.push import Hub, PushSettings
from controlplane.stores.memory import MemoryStore
from controlplane.stores.sqlite import SqliteStore
from dataplane.wire.codec import MAX_FRAME

log = logging.getLogger('sluice.app')

ABOUT = (
    'What every data plane is to do: backends, servers, routes. Changes are numbered, durable before they are answered, '
    'and with ?wait=acked|drained answered only when they are true everywhere. Errors are problem documents (RFC 9457).'
)


class CannotStart(Exception):
    """Why the control plane cannot start, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line and the environment say. `store`: 'sqlite:///FILE' or 'memory:'."""

    store: str
    host: str = '127.0.0.1'
    port: int = 8000
    tokens: str | None = None
    removal_percent: int = 50
    push: PushSettings = field(default_factory=PushSettings)

    @property
    def address(self) -> str:
        """HOST:PORT, as it is written."""
        return f'[{self.host}]:{self.port}' if ':' in self.host else f'{self.host}:{self.port}'


def open_store(text: str) -> Store:
    """The store that `text` names. CannotStart: it names none."""
    if text == 'memory:':
        return MemoryStore()
    kind, _, path = text.partition(':///')
    if kind != 'sqlite' or not path:
        raise CannotStart(f'store {text!r} is neither sqlite:///FILE nor memory:')
    return SqliteStore(path)


def open_socket(settings: Settings) -> socket.socket:
    """The listening socket. CannotStart: it is taken, or not ours, or off loopback without tokens."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CannotStart(f'cannot listen on {settings.address}: {error.strerror}') from error
    if settings.tokens is None and not _is_loopback(str(address[0])):
        raise CannotStart(
            f'refusing to listen on {settings.address} without --tokens: only loopback is safe without them'
        )
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CannotStart(f'cannot listen on {settings.address}: {os.strerror(error.errno or 0)}') from error
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


def build(services: Services, hub: Hub, tokens: Tokens | None) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(title='Sluice control plane', description=ABOUT, version='v1', docs_url=None, redoc_url=None)
    app.state.services = services
    for module in (servers, backends, routes, operations, dataplanes, events, aliases, health, metrics, docs):
        app.include_router(module.router)
    errors.install(app)

    @app.websocket('/v1/push')
    async def push(websocket: WebSocket) -> None:
        await websocket.accept()
        await hub.serve(WebSocketLink(websocket))

    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, tokens=tokens)
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


class Server(uvicorn.Server):
    """Tells streams and data planes that it is going away before it waits for them to end."""

    def __init__(self, plane: Running, tokens: Tokens | None) -> None:
        config = uvicorn.Config(
            build(plane.services, plane.hub, tokens), log_config=None, access_log=False, lifespan='off',
            ws='websockets-sansio', ws_max_size=MAX_FRAME, ws_per_message_deflate=False, ws_ping_interval=10.0,
            ws_ping_timeout=20.0, timeout_graceful_shutdown=5, server_header=False,
        )  # fmt: skip
        super().__init__(config)
        self._plane = plane

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking connections, end the rest."""
        self._plane.services.stopping.set()
        await self._plane.hub.close()
        await super().shutdown(sockets)


async def serve(settings: Settings, started: asyncio.Future[tuple[str, int]] | None = None) -> None:
    """Run until a signal ends it. `started` gets the address it listens on. CannotStart: it could not begin."""
    try:
        tokens = None if settings.tokens is None else Tokens(settings.tokens)
    except (OSError, ValueError) as error:
        raise CannotStart(f'the tokens file cannot be used: {error}') from error
    listener = open_socket(settings)
    with listener:
        async with running(settings, open_store(settings.store)) as plane:
            address = listener.getsockname()[:2]
            log.info('control plane: term %d, listening on %s:%d', plane.sequencer.log.head.term, *address)
            if started is not None:
                started.set_result(address)
            async with collecting(lambda: plane.sequencer.log.head):
                await Server(plane, tokens).serve([listener])
