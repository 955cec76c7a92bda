"""`sluicectl`: commands, options and exit codes.

Exit codes: 0 done; 1 the control plane refused or cannot be reached; 2 wrong usage; 3 not every data plane did it - it is
unreachable and may still carry traffic, it refused, or the time was over; 4 something contrary was asked for meanwhile;
130 interrupted (Ctrl-C), whatever was asked for goes on.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from rich.console import Console

from sluicectl import show
from sluicectl.client import Client, Files
from sluicectl.credentials import Failed

NOT_ALL = 3
SUPERSEDED = 4
INTERRUPTED = 130
_SPAN = re.compile(r'([0-9]{1,9})(ms|s|m)?')
_UNITS = {'ms': 0.001, 's': 1.0, 'm': 60.0, None: 1.0}
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Session:
    """What every command works with. `progress` goes to standard error, so that `-o json` stays a document."""

    client: Client
    console: Console
    progress: Console
    json: bool

    def show(self, document: Any, render: Callable[[Console, Any], None]) -> None:
        """Print a document in the form that was asked for."""
        if self.json:
            show.as_json(self.console, document)
        else:
            render(self.console, document)


class Span(click.ParamType[float]):
    """A time like 500ms, 30s, 2m; in seconds."""

    name = 'time'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float."""
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail(f'{value!r} is not a time like 500ms, 30s or 2m', param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class Server(click.ParamType[str]):
    """BACKEND/SERVER."""

    name = 'backend/server'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path of the server's resource."""
        backend, slash, server = str(value).partition('/')
        if (
            not slash
            or not re.fullmatch(r'[A-Za-z0-9_.:-]{1,128}', backend)
            or not re.fullmatch(r'[A-Za-z0-9_.:-]{1,128}', server)
        ):
            self.fail(f'{value!r} is not BACKEND/SERVER', param, ctx)
        return f'/v1/backends/{backend}/servers/{server}'


def _choose_output(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Take `-o` after the command too, where most people write it."""
    if value is not None:
        context.obj = replace(context.obj, json=value == 'json')


output = click.option(
    '-o', '--output', type=click.Choice(['table', 'json']), expose_value=False, callback=_choose_output,
    help='Form of the answer (default: table).',
)  # fmt: skip


class Quiet(click.Group):
    """Interrupted, it ends without a word and with the exit code shells expect."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


@click.group(cls=Quiet, context_settings={'help_option_names': ['-h', '--help']})
@click.option(
    '--url',
    envvar='SLUICE_URL',
    default='http://127.0.0.1:8000',
    show_default=True,
    show_envvar=True,
    help='The control plane.',
)
@click.option('--token', envvar='SLUICE_TOKEN', show_envvar=True, help='Bearer token (better in the environment).')
@click.option(
    '--token-file', envvar='SLUICE_TOKEN_FILE', show_envvar=True, help='File of a bearer token, read at each request.'
)
@click.option(
    '--ca-file', envvar='SLUICE_CA_FILE', show_envvar=True, help='PEM file of the authorities to trust over https.'
)
@click.option('--cert-file', envvar='SLUICE_CERT_FILE', show_envvar=True, help='PEM file of a client certificate.')
@click.option(
    '--key-file', envvar='SLUICE_KEY_FILE', show_envvar=True, help='PEM file of its key (default: in the same file).'
)
@click.option(
    '-o',
    '--output',
    type=click.Choice(['table', 'json']),
    default='table',
    show_default=True,
    help='Form of the answers.',
)
@click.pass_context
def cli(
    context: click.Context, url: str, token: str | None, token_file: str | None, ca_file: str | None,
    cert_file: str | None, key_file: str | None, output: str,
) -> None:  # fmt: skip
    """Operate servers behind Sluice's data planes."""
    if token is not None and token_file is not None:  # what is typed counts more than what the environment says
        sources = {name: context.get_parameter_source(name) for name in ('token', 'token_file')}
        if sources['token'] is ParameterSource.ENVIRONMENT and sources['token_file'] is ParameterSource.COMMANDLINE:
            token = None
        elif sources['token_file'] is ParameterSource.ENVIRONMENT and sources['token'] is ParameterSource.COMMANDLINE:
            token_file = None
    client = Client(url, token, files=Files(token=token_file, ca=ca_file, certificate=cert_file, key=key_file))
    context.call_on_close(client.close)
    # off a terminal nothing is cut to a width it does not have
    width = None if sys.stdout.isatty() else 400
    context.obj = Session(client, Console(width=width), Console(stderr=True), output == 'json')


@cli.command()
@output
@click.pass_obj
def backends(session: Session) -> None:
    """List backends."""
    session.show(session.client.items('/v1/backends'), show.backends)


@cli.command()
@output
@click.argument('backend', required=False)
@click.pass_obj
def servers(session: Session, backend: str | None) -> None:
    """List servers, of one BACKEND or of all."""
    path = '/v1/servers' if backend is None else f'/v1/backends/{backend}/servers'
    session.show(session.client.items(path), show.servers)


def _verb(name: str, text: str, goal: str, method: str, suffix: str, body: dict[str, Any] | None) -> None:
    @cli.command(name, help=text)
    @output
    @click.argument('server', type=Server(), metavar='BACKEND/SERVER')
    @click.option('--wait', is_flag=True, help=f'Wait until it is {goal} on every data plane.')
    @click.option('--timeout', type=Span(), default='30s', show_default=True, help='How long to wait (500ms, 30s, 2m).')
    @click.pass_obj
    def command(session: Session, server: str, wait: bool, timeout: float) -> None:
        if not wait:
            document = session.client.call(method, server + suffix, json=body)
            session.show(document, lambda console, found: show.servers(console, [found]))
            return
        # asked without waiting first, so that there is an operation to watch while waiting
        query = {'wait': goal, 'timeout': '0s'}
        operation = session.client.call(method, server + suffix, json=body, params=query)
        _finish(session, _watch(session, operation, timeout))


def _watch(session: Session, operation: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Follow an operation until its state is known or the time is over, saying who is still missing."""
    deadline = time.monotonic() + seconds
    with session.progress.status('') as status:
        while operation['state'] == 'pending' and (left := deadline - time.monotonic()) > 0:
            late = [f'{name} (unreachable)' for name in operation['unreachable']]
            late += [name for name in operation['pending'] if name not in operation['refused']]
            status.update(f'waiting for {operation["goal"]} {left:.0f}s: {", ".join(late)}')
            query = {'wait': operation['goal'], 'timeout': f'{max(1, int(min(left, POLL_S) * 1000))}ms'}
            operation = session.client.call('GET', f'/v1/operations/{operation["id"]}', params=query, wait_s=POLL_S)
    return operation


def _finish(session: Session, operation: dict[str, Any]) -> NoReturn:
    session.show(operation, show.outcome)
    if operation['unreachable']:
        names = ', '.join(operation['unreachable'])
        session.progress.print(
            f'unreachable: {names} - it may still carry traffic under the old state', style='red', highlight=False
        )
    sys.exit({'done': 0, 'superseded': SUPERSEDED}.get(operation['state'], NOT_ALL))


_verb(
    'drain', 'Let a server finish what it has; nothing new goes there.', 'drained', 'PATCH', '', {'adminState': 'drain'}
)
_verb(
    'disable',
    'Put a server into maintenance: nothing goes there, not even persistent sessions.',
    'drained',
    'PATCH',
    '',
    {'adminState': 'maint'},
)
_verb('enable', 'Let a server take traffic again.', 'acked', 'PATCH', '', {'adminState': 'ready'})
_verb('shutdown-sessions', 'End every session a server has now.', 'acked', 'POST', ':shutdownSessions', None)


@cli.command()
@output
@click.pass_obj
def dataplanes(session: Session) -> None:
    """List data planes: how far each is, and what its last barrier cost."""
    session.show(session.client.items('/v1/dataplanes'), show.dataplanes)


@cli.command()
@output
@click.confirmation_option(prompt='They lose what this control plane does not know of. Go on?')
@click.pass_obj
def release(session: Session) -> None:
    """Push what is desired to data planes that are held back, after a store was lost."""
    document = session.client.call('POST', '/v1/dataplanes:release')
    session.show(
        document, lambda console, found: console.print(f'released: {", ".join(found["released"]) or "nobody"}')
    )


@cli.command()
@output
@click.argument('operation', required=False)
@click.pass_obj
def operations(session: Session, operation: str | None) -> None:
    """List operations, or show one."""
    if operation is None:
        session.show(session.client.items('/v1/operations'), show.operations)
    else:
        session.show(session.client.call('GET', f'/v1/operations/{operation}'), show.outcome)


@cli.command()
@output
@click.option('-f', '--follow', is_flag=True, help='Go on as they happen.')
@click.option(
    '--after', metavar='VERSION', help='Begin after this version (default: all that is kept, or with -f, now).'
)
@click.pass_obj
def events(session: Session, follow: bool, after: str | None) -> None:
    """Show changes, in their order."""
    begin = after if after is not None or follow else _oldest(session)
    for document in session.client.events(begin, follow=follow):
        if session.json:
            session.console.out(show.line(document), highlight=False)
        else:
            show.event(session.console, document)


def _oldest(session: Session) -> str:
    tail: str = session.client.call('GET', '/v1/dataplanes')['tail']
    return tail


def main() -> None:
    """Run, with refusals as one line and exit code 1."""
    try:
        cli.main(prog_name='sluicectl')
    except Failed as error:
        click.echo(f'sluicectl: {error}', err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, most likely; what is still buffered must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f'sluicectl: the answer cannot be written: {error.strerror}', err=True)
        sys.exit(1)


if __name__ == '__main__':
    main()
