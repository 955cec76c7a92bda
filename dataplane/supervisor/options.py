"""The command line, parsed as HAProxy parses its own (management manual, 3), into what this program does with it.

Options that have no meaning here are accepted and told of in `warnings`, because init scripts and images pass them: who asks
for `-sf` expects a hand-over, and is told what does that here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

USAGE: Final = """\
Usage : sluice-dataplane [-f <cfgfile|cfgdir>]* [ -vdVD ] [ -n <maxconn> ] [ -N <maxpconn> ]
        [ -p <pidfile> ] [ -m <max megs> ] [ -C <dir> ] [-- <cfgfile>*]
        -v displays version ; -vv shows known build options.
        -d enters debug mode ; -db only disables background mode.
        -V enters verbose mode (disables quiet mode)
        -D goes daemon ; -C changes to <dir> before loading files.
        -W master-worker mode (always on); who is ended by SIGINT exits with 130.
        -Ws the same, with systemd notify support.
        -q quiet mode : don't display messages
        -c check mode : only check config files and exit
        -cc check condition : evaluate a condition and exit
        -n sets the maximum total # of connections
        -L set local peer name (accepted, not used)
        -S <address>[,level,<level>][,mode,<mode>] opens the master CLI
        -p writes the pid to this file
        -dD tells what '.diag' lines say
        -dW fails if any warning is emitted
        -sf/-st/-x accepted; use SIGUSR2 (reload) or SIGUSR1 (soft stop) instead
"""
_FLAGS_IGNORED: Final = (
    '-de',
    '-dp',
    '-dS',
    '-dG',
    '-dR',
    '-dr',
    '-dV',
    '-dF',
    '-dZ',
    '-dA',
    '-dI',
    '-dL',
    '-dC',
)


class Misused(Exception):
    """The command line makes no sense; the text says why. Empty, with `-h`: only how it is used is wanted."""


@dataclass(slots=True)
class Options:
    """What was asked for. `verbose` (-V) has already taken `quiet` (-q) back."""

    files: list[str] = field(default_factory=list)
    check: bool = False
    condition: str | None = None
    verbose: bool = False
    quiet: bool = False
    daemon: bool = False
    debug: bool = False
    master: bool = False
    notify: bool = False
    strict: bool = False
    diagnose: bool = False
    version: int = 0
    maxconn: int | None = None
    pidfile: str | None = None
    directory: str | None = None
    master_cli: str | None = None
    warnings: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str]) -> Options:
    """Raises Misused naming the option at fault."""
    options, rest = Options(), list(arguments)
    while rest:
        option = rest.pop(0)
        if option == '--':
            options.files += rest
            rest = []
        elif option in _WITH_VALUE:
            if not rest:
                raise Misused(f'{option}: missing {_WITH_VALUE[option]}')
            _set(options, option, rest.pop(0))
        elif option in ('-sf', '-st'):
            while rest and not rest[0].startswith('-'):
                rest.pop(0)
            options.warnings.append(
                f"'{option}' is not needed and ignored: to load a new configuration send SIGUSR2 to the running process, "
                f'to end one send it {"SIGUSR1" if option == "-sf" else "SIGTERM"}.'
            )
        else:
            _flag(options, option)
    options.quiet = options.quiet and not options.verbose
    return options


_WITH_VALUE: Final = {
    '-f': 'file or directory',
    '-n': 'number of connections',
    '-N': 'number of connections',
    '-p': 'pidfile',
    '-m': 'number of megabytes',
    '-C': 'directory',
    '-L': 'peer name',
    '-x': 'unix socket',
    '-S': 'address',
    '-cc': 'condition',
}


def _set(options: Options, option: str, value: str) -> None:
    match option:
        case '-f':
            options.files.append(value)
        case '-n':
            options.maxconn = _number(option, value)
        case '-N' | '-m':
            _number(option, value)
            options.warnings.append(f"'{option} {value}' is ignored: memory and connections are limited by 'maxconn'.")
        case '-p':
            options.pidfile = value
        case '-C':
            options.directory = value
        case '-cc':
            options.condition = value
        case '-x':
            options.warnings.append(
                "'-x' is ignored: sockets are kept by the running process; send it SIGUSR2 to load a new configuration."
            )
        case '-S':
            options.master_cli = value
        case _:
            return


def _flag(options: Options, option: str) -> None:
    match option:
        case '-c':
            options.check = True
        case '-v' | '-vv':
            options.version = len(option) - 1
        case '-V':
            options.verbose = True
        case '-q':
            options.quiet = True
        case '-d':
            options.debug, options.daemon = True, False
        case '-db':
            options.daemon = False
        case '-D':
            options.daemon = True
        case '-h':
            raise Misused('')
        case '-W':
            options.master = True
        case '-Ws':
            options.master = options.notify = True
        case '-dW':
            options.strict = True
        case '-dD':
            options.diagnose = True
        case _ if option.startswith(('-dM', '-dK')) or option in _FLAGS_IGNORED:
            options.warnings.append(f"'{option}' is ignored: it has no meaning here.")
        case _:
            raise Misused(f'unknown option {option}' if option.startswith('-') else f'unexpected argument {option}')


def _number(option: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise Misused(f'{option}: {value!r} is not a number above 0')
    return int(value)
