"""`sluice-controlplane`: settings from the command line, or from the environment as SLUICE_STORE, SLUICE_LISTEN, ..."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import uvloop

from controlplane.app import CannotStart, Settings, push_settings, serve
from controlplane.auth import Role, new_token
from controlplane.kube.lease import Times
from controlplane.tls import TlsFiles

if TYPE_CHECKING:
    from controlplane.replica import ClusterSettings

SHORTEST_LEASE_S = 3


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The command line. What the environment says is the default."""
    made = argparse.ArgumentParser(
        prog='sluice-controlplane', description='The control plane of Sluice.', allow_abbrev=False
    )

    def option(flag: str, variable: str, default: str | None, text: str) -> None:
        made.add_argument(flag, default=environment.get(variable, default), help=f'{text} [{variable}]')

    option(
        '--store', 'SLUICE_STORE', None, "where the desired state is kept: 'sqlite:///FILE', 'kubernetes' or 'memory:'"
    )
    option('--listen', 'SLUICE_LISTEN', '127.0.0.1:8000', 'HOST:PORT of REST and of the link to the data planes')
    option(
        '--tokens', 'SLUICE_TOKENS', None, 'file of NAME:ROLE:sha256$HEX or NAME:ROLE:cert lines; needed off loopback'
    )
    option(
        '--tls-cert', 'SLUICE_TLS_CERT', None, 'PEM file of the certificate and its chain; read again when it changes'
    )
    option('--tls-key', 'SLUICE_TLS_KEY', None, 'PEM file of its key (default: in the same file)')
    option(
        '--client-ca', 'SLUICE_CLIENT_CA', None, 'PEM file of authorities whose client certificates stand for a token'
    )
    option(
        '--health-listen',
        'SLUICE_HEALTH_LISTEN',
        None,
        'HOST:PORT for /livez, /readyz and /metrics alone, without TLS and token',
    )
    option(
        '--removal-percent',
        'SLUICE_REMOVAL_PERCENT',
        '50',
        'hold a set that would remove more than this share of a backend',
    )
    option(
        '--traffic-lease',
        'SLUICE_TRAFFIC_LEASE',
        '15',
        'seconds for which a data plane with on-partition stop goes on unheard, from 3',
    )
    option('--log-level', 'SLUICE_LOG_LEVEL', 'info', 'debug, info, warning or error')
    _cluster_options(option)
    made.add_argument(
        '--new-token', metavar='NAME:ROLE', help=f'print a new token and its line, and end; roles: {", ".join(Role)}'
    )
    return made


def _cluster_options(option: Callable[[str, str, str | None, str], None]) -> None:
    """With --store kubernetes."""
    option('--kubeconfig', 'SLUICE_KUBECONFIG', None, "default: the pod's own access, or kubectl's file")
    option('--namespace', 'POD_NAMESPACE', None, 'our own namespace: of the Lease, the ConfigMaps and the data planes')
    option(
        '--name', 'SLUICE_NAME', 'sluice-controlplane', 'of the Lease and the records; NAME-snapshot of the snapshot'
    )
    option('--watch', 'SLUICE_WATCH', '', 'namespaces whose Services are served, with commas between; empty: all')
    option('--pod', 'POD_NAME', '', 'our pod, as the Lease names us')
    option(
        '--address',
        'SLUICE_ADDRESS',
        None,
        'HOST:PORT of this replica for others; default: $POD_IP and the port of --listen',
    )
    option(
        '--lease',
        'SLUICE_LEASE',
        '15,10,2',
        'seconds: how long the Lease lasts, is renewed within, is tried again after',
    )
    option('--audience', 'SLUICE_AUDIENCE', 'sluice', 'for whom tokens must have been made')
    option(
        '--dataplane-accounts',
        'SLUICE_DATAPLANE_ACCOUNTS',
        '',
        'NAMESPACE:NAME of service accounts that may dial the link',
    )
    option(
        '--leader-ca',
        'SLUICE_LEADER_CA',
        None,
        "PEM file of who signs the replicas' certificate; default: the system's",
    )
    option('--leader-name', 'SLUICE_LEADER_NAME', '', 'a DNS name in that certificate')


def cluster_settings(arguments: argparse.Namespace, environment: Mapping[str, str], port: int) -> ClusterSettings:
    """What was asked for of a replica in Kubernetes. CannotStart: it cannot be, and which option it was."""
    if not arguments.namespace:
        raise CannotStart('--namespace (or POD_NAMESPACE) is missing: where the Lease and the ConfigMaps are')
    from controlplane.replica import ClusterSettings

    host = environment.get('POD_IP') or '127.0.0.1'
    address = arguments.address or (f'[{host}]:{port}' if ':' in host else f'{host}:{port}')
    _address('--address', address)
    return ClusterSettings(
        namespace=arguments.namespace,
        name=arguments.name,
        watch=_words(arguments.watch),
        pod=arguments.pod,
        address=address,
        kubeconfig=arguments.kubeconfig or None,
        times=_times(arguments.lease),
        audience=arguments.audience,
        accounts=_accounts(arguments.dataplane_accounts),
        leader_ca=arguments.leader_ca or None,
        leader_name=arguments.leader_name,
    )


def _times(text: str) -> Times:
    words = _words(text)
    try:
        lease, renew, retry = (round(float(word) * 1_000) for word in words)
        return Times(lease_ms=lease, renew_ms=renew, retry_ms=retry)
    except ValueError as error:
        raise CannotStart(f'--lease {text!r} is not three times in seconds, e.g. 15,10,2: {error}') from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(',', ' ').split() if word)


def settings(arguments: argparse.Namespace) -> Settings:
    """What was asked for. CannotStart: it cannot be, and which option it was."""
    if not arguments.store:
        raise CannotStart('--store (or SLUICE_STORE) is missing, for example --store sqlite:///sluice.db')
    host, port = _address('--listen', str(arguments.listen))
    health = str(arguments.health_listen or '')
    lease = str(arguments.traffic_lease)
    if not lease.isdecimal() or not SHORTEST_LEASE_S <= int(lease) <= 3_600:
        raise CannotStart(f'--traffic-lease {lease!r} is not a number of seconds from {SHORTEST_LEASE_S} to 3600')
    percent = str(arguments.removal_percent)
    if not percent.isdecimal() or int(percent) > 100:
        raise CannotStart(f'--removal-percent {percent!r} is not a number from 0 to 100')
    return Settings(
        store=arguments.store,
        host=host,
        port=port,
        tokens=arguments.tokens or None,
        tls=_tls(arguments),
        health=_address('--health-listen', health) if health else None,
        removal_percent=int(percent),
        push=push_settings(lease_ms=int(lease) * 1_000),
    )


def _address(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(':')
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise CannotStart(f'{option} {text!r} is not HOST:PORT')
    return host.removeprefix('[').removesuffix(']'), int(port)


def _accounts(text: str) -> tuple[str, ...]:
    accounts = _words(text)
    for account in accounts:
        if not re.fullmatch(r'[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}', account):
            raise CannotStart(f'--dataplane-accounts: {account!r} is not NAMESPACE:NAME')
    return accounts


def _tls(arguments: argparse.Namespace) -> TlsFiles | None:
    certificate, key, client_ca = arguments.tls_cert, arguments.tls_key, arguments.client_ca
    if not certificate:
        for option, value in (('--tls-key', key), ('--client-ca', client_ca)):
            if value:
                raise CannotStart(f'{option} is of no use without --tls-cert')
        return None
    if client_ca and not arguments.tokens:
        raise CannotStart('--client-ca is of no use without --tokens, whose NAME:ROLE:cert lines say who may do what')
    return TlsFiles(certificate=certificate, key=key or certificate, client_ca=client_ca or None)


def _log_level(text: str) -> int:
    level = logging.getLevelNamesMapping().get(text.upper())
    if level is None:
        raise CannotStart(f'--log-level {text!r} is none of debug, info, warning, error')
    return level


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code is 0 after a signal, 1 when it could not start."""
    arguments = parser(os.environ).parse_args(argv)
    try:
        if arguments.new_token is not None:
            name, _, role = arguments.new_token.partition(':')
            token, line = new_token(name, role)
            sys.stdout.write(f'token (give it to its user):    {token}\nline (put it into the file):    {line}\n')
            return 0
        logging.basicConfig(
            level=_log_level(arguments.log_level), format='%(asctime)s %(levelname)-7s %(name)s: %(message)s'
        )
        asked = settings(arguments)
        if asked.store == 'kubernetes':
            # here, because it is half of all that is imported (and two HTTP clients), which the other stores do without
            from controlplane import incluster

            uvloop.run(incluster.serve(asked, cluster_settings(arguments, os.environ, asked.port)))
        else:
            uvloop.run(serve(asked))
    except (CannotStart, ValueError) as error:
        sys.stderr.write(f'sluice-controlplane: {error}\n')
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
