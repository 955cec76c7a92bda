"""The composition root of the data plane: `sluice-dataplane -f FILE`, from the command line to the last worker's end.

    options -> configuration -> listening sockets -> [background] -> board -> first revision(s) -> workers -> doors open

Errors before the doors are open are told on stderr with exit status 1 and leave nothing behind. The first revision is made
before the first worker starts, from the file and from what the control plane had pushed last, through the same door as
every later change. Signals: SIGTERM and SIGINT end at once, SIGUSR1 when everything is answered, SIGUSR2 and SIGHUP reload.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import uvloop

from dataplane.config import Loaded
from dataplane.config.conditions import evaluate
from dataplane.config.lexer import split_words
from dataplane.config.problems import Rejected
from dataplane.config.statssocket import parse_master_socket
from dataplane.core import plane
from dataplane.core.model import Snapshot, StatsSocket
from dataplane.supervisor.listeners import CannotListen, Listeners
from dataplane.supervisor.logs import say
from dataplane.supervisor.options import USAGE, Misused, Options, parse
from dataplane.supervisor.process import (
    EARLY,
    daemonize,
    detach,
    go_first,
    has_started,
    raise_descriptor_limit,
    remove_pidfile,
    write_pidfile,
)
from dataplane.supervisor.restoring import unreadable
from dataplane.supervisor.sources import NO_LISTENER, Sources, Unusable, listens, tell, tell_diags

if TYPE_CHECKING:
    from dataplane.supervisor.dataplane import DataPlane

_PARSING: Final = re.compile(r'config : parsing \[(.+?)(?::\d+)?] : ')
"""How an error begins that is one of a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a data plane as the command line says. Returns the exit status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except Misused as misused:
        said = f'{misused}\n' if str(misused) else ''
        sys.stderr.write(f'{said}{_banner()}\n{USAGE}')
        return 1
    if options.version:
        _say_version(options.version)
        return 0
    if options.condition is not None:
        return _condition(options.condition)
    if options.directory is not None:
        try:
            os.chdir(options.directory)
        except OSError as error:
            say('ALERT', f'Could not change to directory {options.directory} : {error.strerror}')
            return 1
    if not options.files:
        sys.stderr.write(f'{_banner()}\n{USAGE}')
        return 1
    return _configured(options)


def _configured(options: Options) -> int:
    """Read the configuration; check it only, or go on with it."""
    sources = Sources.of(options, os.environ)
    quiet = options.quiet
    try:
        master, told = (None, []) if options.master_cli is None else parse_master_socket(options.master_cli)
    except Rejected as problem:
        say('ALERT', f'{problem}')
        return 1
    for warning in [*options.warnings, *told] if not quiet else ():
        say('WARNING', warning)
    try:
        loaded = sources.read()
    except Unusable as unusable:
        for text in unusable.warnings if not quiet else ():
            say('WARNING', text)
        for text in unusable.problems:
            say('ALERT', text)
        for path in dict.fromkeys(found[1] for found in map(_PARSING.match, unusable.problems) if found):
            say('ALERT', f'config : Error(s) found in configuration file : {path}')
        say('ALERT', 'config : Fatal errors found in configuration.')
        return 1
    if not quiet:
        tell(loaded, say)
    if options.diagnose:
        tell_diags(loaded, say)
    lacking = unreadable(loaded.snapshot) if options.check or options.strict else []
    for text in lacking if not quiet else ():
        say('WARNING', f'config : {text}')
    warned = bool(loaded.warnings or lacking)
    if options.strict and warned:
        say('ALERT', 'Some warnings were found and -dW asks for none. Aborting.')
        return 1
    if options.check:
        return _checked(loaded, warned=warned and not quiet, quiet=quiet)
    if not listens(loaded.snapshot):
        say('ALERT', f'[sluice.main()] {NO_LISTENER} Exiting.')
        return 1
    return _listening(options, sources, loaded, master)


def _checked(loaded: Loaded, *, warned: bool, quiet: bool) -> int:
    """What `-c` says of a configuration without errors: 2 when there is nothing that it would listen on."""
    text, status = 'Configuration file is valid', 0
    if warned:
        sys.stdout.write('Warnings were found.\n')
    if not listens(loaded.snapshot):
        text, status = 'Configuration file has no error but will not start (no listener) => exit(2).', 2
    if not quiet:
        sys.stdout.write(f'{text}\n')
    return status


def _listening(options: Options, sources: Sources, loaded: Loaded, master: StatsSocket | None) -> int:
    """Open the listening sockets, go to the background if asked to, and run."""
    raise_descriptor_limit()
    snapshot = loaded.snapshot
    listeners = Listeners(snapshot.globals.nbthread)
    try:
        listeners.open_missing(snapshot.frontends)
    except CannotListen as problem:
        for text in str(problem).splitlines():
            say('ALERT', text)
        say('ALERT', '[sluice.main()] Some listeners could not be started! Exiting.')
        return 1
    pipe = None
    if options.daemon:
        pid, pipe = daemonize()
        if pid:
            return 0 if has_started(pipe) else 1
    go_first()
    pidfile = options.pidfile or snapshot.globals.pidfile
    # who reads the pidfile may signal at once; what comes before there is a handler waits for it
    signal.pthread_sigmask(signal.SIG_BLOCK, EARLY)
    try:
        if pidfile is not None:
            write_pidfile(pidfile, os.getpid())
    except OSError as error:
        say('ALERT', f'Cannot create pidfile {pidfile} : {error.strerror}')
        return 1

    # here, because it is most of the start's time, which `-c` and `-v` need not spend; a collection would find nothing
    # among what is imported, and Prefork makes one
    gc.disable()
    from dataplane.supervisor.dataplane import DataPlane
    from dataplane.supervisor.prefork import Prefork

    gc.enable()
    first = Prefork(snapshot.globals)

    def plane(loop: asyncio.AbstractEventLoop) -> DataPlane:
        software, quiet = _software(), options.quiet
        return DataPlane(
            loop, sources, loaded, listeners, software=software, quiet=quiet, master=master, first=first.take
        )

    try:
        _fetch(snapshot)
        return _run(plane, pipe, master=options.master)
    finally:
        first.close()
        if pidfile is not None:
            remove_pidfile(pidfile, os.getpid())


def _fetch(snapshot: Snapshot) -> None:
    """Import what this data plane needs beyond others, while nobody waits for the loop: each brings an HTTP library (0.1 s of CPU)."""
    if snapshot.globals.control_plane is not None:
        import_module('dataplane.supervisor.subscriber')
    if snapshot.stats_listeners:
        import_module('dataplane.supervisor.statspage')


def _run(make: Callable[[asyncio.AbstractEventLoop], DataPlane], pipe: int | None, *, master: bool) -> int:
    """Serve until told to stop. `pipe`: in the foreground somebody waits for the start.

    The exit status is 0 whoever ended it; in `master` mode 130 for SIGINT, as that of HAProxy's master (docs/critiques.md).
    """
    from dataplane.supervisor.dataplane import CannotStart

    async def serve() -> int:
        plane = make(asyncio.get_running_loop())
        try:
            await plane.start()
            # what exists now lives as long as the process: no collection need ever look at it
            gc.collect()
            gc.freeze()
            if pipe is not None:
                detach(pipe)
            await plane.stopped()
            return 128 + signal.SIGINT if master and plane.ended_by == signal.SIGINT else 0
        finally:
            await plane.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(serve())
        except CannotStart as problem:
            for text in str(problem).splitlines():
                say('ALERT', text)
            return 1


def _condition(expression: str) -> int:
    """Of `-cc` (management manual, 3): 0 is true, 1 false, 2 that it makes no sense. Quotes and variables are as in a file's `.if`."""
    try:
        words = split_words(expression, os.environ.get, comments=False)
        return 0 if evaluate(' '.join(words), os.environ) else 1
    except Rejected as problem:
        say('ALERT', f'Failed to evaluate condition: {problem}')
        return 2


def _software() -> str:
    """The version of the installed package; '0' when it runs from a tree that was never installed."""
    try:
        return version('sluice')
    except PackageNotFoundError:
        return '0'


def _banner() -> str:
    return f'Sluice version {_software()}'


def _say_version(detail: int) -> None:
    sys.stdout.write(f'{_banner()}\n')
    if detail > 1:
        sys.stdout.write(
            f'Running on: {platform.platform()}\nPython: {platform.python_version()}\n'
            f'Event loop: uvloop {version("uvloop")}\n'
            f'Request path: {"Python" if plane.__file__.endswith(".py") else "compiled"}\n'
        )


if __name__ == '__main__':
    raise SystemExit(main())
