"""The composition root inside Kubernetes: a replica, REST in front of it, and the way to whoever leads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI

from controlplane.app import CannotStart, Settings, authority_of, build, build_probed, open_socket, read_tls, warm
from controlplane.auth import Authority, ClusterAuthority
from controlplane.collector import collecting
from controlplane.forward import Forward, Leader
from controlplane.kube.access import CannotAccess, found_here
from controlplane.kube.client import Api
from controlplane.kube.reviews import Reviews
from controlplane.replica import ClusterSettings, Replica
from controlplane.serving import Probed, Server

log = logging.getLogger('sluice.app')


def authority_in(settings: Settings, cluster: ClusterSettings, api: Api) -> Authority:
    """Who decides: the tokens file if there is one, the loopback if there is nothing else, and else the API server."""
    if settings.tokens is not None or not cluster.accounts:
        return authority_of(settings)
    return ClusterAuthority(Reviews(api, cluster.audience), cluster.accounts, time.monotonic)


@contextlib.asynccontextmanager
async def living(replica: Replica) -> AsyncIterator[asyncio.Task[None]]:
    """While inside, the replica lives."""
    life = asyncio.ensure_future(replica.run())
    try:
        yield life
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life


@contextlib.asynccontextmanager
async def _probed(app: FastAPI, where: tuple[str, int] | None) -> AsyncIterator[None]:
    if where is None:
        yield
        return
    with open_socket(*where) as listener:
        server = Probed(app)
        task = asyncio.ensure_future(server.serve([listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def replicated(
    settings: Settings, cluster: ClusterSettings, api: Api, authority: Authority
) -> AsyncIterator[tuple[Replica, Server]]:
    """A living replica, and the server in front of it, which is still to be started. CannotStart: TLS cannot be used."""
    context = read_tls(settings.tls)
    replica = Replica(api, cluster, settings.push, settings.removal_percent)
    leader = Leader(cluster.leader_ca, cluster.leader_name, tls=context is not None)

    def within(app: FastAPI) -> None:
        app.add_middleware(Forward, standing=replica, leader=leader, who=replica.identity)

    nothing = replica.nothing()
    app, probes = build(nothing, None, authority, settings.recheck_s, within), build_probed(nothing)
    replica.attach(app, probes)
    for one in (app, probes):
        await warm(one)  # not while the lease has to be renewed
    server = Server(app, context, replica.leave)
    async with living(replica) as life, _probed(probes, settings.health):
        life.add_done_callback(lambda _: setattr(server, 'should_exit', True))  # it only ends by a defect
        try:
            yield replica, server
        finally:
            await leader.close()


async def serve(
    settings: Settings, cluster: ClusterSettings, started: asyncio.Future[tuple[str, int]] | None = None
) -> None:
    """Run until a signal ends it. `started` gets the address it listens on. CannotStart: it could not begin."""
    try:
        credentials = found_here(cluster.kubeconfig)
        await credentials.current()
    except CannotAccess as error:
        raise CannotStart(str(error)) from error
    is_alone = settings.tokens is None and not cluster.accounts
    with open_socket(settings.host, settings.port, alone=is_alone) as listener:
        async with Api(credentials) as api:
            authority = authority_in(settings, cluster, api)
            async with replicated(settings, cluster, api, authority) as (replica, server):
                address = listener.getsockname()[:2]
                log.info('control plane %s: listening on %s:%d', replica.identity, *address)
                if started is not None:
                    started.set_result(address)
                async with collecting(replica.head):
                    await server.serve([listener])
