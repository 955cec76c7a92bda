"""config: `userlist` sections (configuration manual 3.4): users, their passwords and their groups.

Hashed passwords are crypt(3)'s. A worker stands still while it checks one, so a method that was told to take long is refused:
by its parameters, since this room measures nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dataplane.config.naming import named, section_name
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.rules.model import User, UserList

if TYPE_CHECKING:
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line

KnownHash = Callable[[str], bool]
"""Can this system check passwords against a hash?"""

_DIGITS: Final = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
_COSTS: Final = (
    (re.compile(r'\$[56]\$rounds=([0-9]{1,10})\$'), 200_000),
    (re.compile(r'\$2[abxy]\$([0-9]{2})\$'), 12),
    (re.compile(r'\$sha1\$([0-9]{1,10})\$'), 200_000),
    (re.compile(r'\$md5,rounds=([0-9]{1,10})\$'), 50_000),
)
"""Methods whose cost is written in decimals, and the highest that is taken: 0.1 to 0.3 s of a worker."""
_MEMORY_HARD: Final = ((re.compile(r'\$g?y\$j(.)'), 13), (re.compile(r'\$7\$(.)'), 16))
"""Methods whose cost is the logarithm of their blocks as one digit of base 64, and the highest digit that is taken."""


def any_hash(_: str) -> bool:
    """For whoever compiles texts that nobody will log in with."""
    return True


@dataclass(slots=True)
class _Users:
    """One section while it is being read."""

    name: str
    where: str
    users: dict[str, tuple[str | None, bool, list[str], str, int]] = field(default_factory=dict)
    groups: dict[str, tuple[list[str], str, int]] = field(default_factory=dict)


class UserLists:
    """Reads all `userlist` sections. They may follow the rules that name them."""

    def __init__(self, report: Report, known_hash: KnownHash) -> None:
        self._report = report
        self._known_hash = known_hash
        self._lists: dict[str, _Users] = {}
        self._current: _Users | None = None

    def open(self, line: Line) -> None:
        """A line `userlist NAME`. Raises Rejected."""
        self._current = _Users(line.word(1), line.where)
        name = section_name(line)
        if name in self._lists:
            msg = f"userlist '{name}' was already defined at {self._lists[name].where}."
            raise Rejected(msg)
        self._lists[name] = self._current

    def parse(self, line: Line) -> None:
        """A line of the section that was opened last. Raises Rejected."""
        word = line.words[0]
        if word == 'group':
            self._group(line)
        elif word == 'user':
            self._user(line)
        else:
            msg = f"unknown keyword '{shown(word)}' in 'userlist' section{did_you_mean(word, ('group', 'user'))}"
            raise Rejected(msg)

    def _section(self) -> _Users:
        assert self._current is not None
        return self._current

    def _group(self, line: Line) -> None:
        section, name = self._section(), named(line)
        members: list[str] | None = None
        for at in range(2, len(line.words), 2):
            if line.words[at] != 'users':
                msg = "'group' only supports 'users' option."
                raise Rejected(msg)
            if members is not None:
                msg = f"'users' option already defined in 'group' name '{name}'."
                raise Rejected(msg)
            members = _list_of(line.word(at + 1))
        if name in section.groups:
            self._report.warning(
                line.file, line.number, f"ignoring duplicated group '{name}' in userlist '{section.name}'."
            )
        else:
            section.groups[name] = members or [], line.file, line.number

    def _user(self, line: Line) -> None:
        section, name = self._section(), named(line)
        password, insecure, groups = None, False, None
        for at in range(2, len(line.words), 2):
            word, value = line.words[at], line.word(at + 1)
            if word == 'password':
                password, insecure = self._hash(name, value), False
            elif word == 'insecure-password':
                password, insecure = value, True
            elif word == 'groups':
                if groups is not None:
                    msg = f"'groups' option already defined in 'user' name '{name}'."
                    raise Rejected(msg)
                groups = _list_of(value)
            else:
                msg = "'user' only supports 'password', 'insecure-password' and 'groups' options."
                raise Rejected(msg)
            if not value:
                msg = f"'{word}' expects an argument in 'user' name '{name}'."
                raise Rejected(msg)
        if name in section.users:
            self._report.warning(
                line.file, line.number, f"ignoring duplicated user '{name}' in userlist '{section.name}'."
            )
        else:
            section.users[name] = password, insecure, groups or [], line.file, line.number

    def _hash(self, name: str, text: str) -> str:
        if not self._known_hash(text):
            msg = f"the encrypted password used for user '{name}' is not supported by crypt(3)."
            raise Rejected(msg)
        if _is_slow(text):
            msg = (
                f"the encrypted password used for user '{name}' takes too long to check: a worker serves nobody else "
                'meanwhile. Make it anew with less rounds.'
            )
            raise Rejected(msg)
        return text

    def compiled(self) -> tuple[UserList, ...]:
        """All lists. Users and groups that only one side knows are noted in the report."""
        return tuple(self._compiled(section) for section in self._lists.values())

    def _compiled(self, section: _Users) -> UserList:
        members: dict[str, list[str]] = {}
        for group, (names, file, line) in section.groups.items():
            for name in names:
                if name not in section.users:
                    text = f"userlist '{section.name}': no such user '{shown(name)}' specified in group '{group}'"
                    self._report.error(file, line, text)
                members.setdefault(name, []).append(group)
        users = []
        for name, (password, insecure, groups, file, line) in section.users.items():
            for group in groups:
                if group not in section.groups:
                    text = f"userlist '{section.name}': no such group '{shown(group)}' specified in user '{name}'"
                    self._report.error(file, line, text)
            users.append(User(name, password, insecure, tuple(dict.fromkeys((*groups, *members.get(name, ()))))))
        return UserList(section.name, tuple(users))

    def check(self, named: Iterable[tuple[str, tuple[str, ...], str, int]]) -> None:
        """Note every list that an expression names - with groups, file and line - and every group of it that is not there."""
        for name, groups, file, line in named:
            section = self._lists.get(name)
            if section is None and not groups:
                self._report.error(file, line, f"unable to find userlist '{shown(name)}' that an expression asks.")
            for group in groups:
                if section is not None and group not in section.groups:
                    self._report.error(file, line, f"http_auth_group(): invalid group '{shown(group)}'.")


def _list_of(text: str) -> list[str]:
    return [name for name in text.split(',') if name]


def _is_slow(text: str) -> bool:
    """Was the hash made to take long?"""
    if any((found := pattern.match(text)) and int(found[1]) > most for pattern, most in _COSTS):
        return True
    return any((found := pattern.match(text)) and _DIGITS.find(found[1]) > most for pattern, most in _MEMORY_HARD)
