"""`default-path`: where files are looked for that lines name by relative paths."""

from __future__ import annotations

import pytest

from dataplane.config import load
from tests.unit.config.loading import HTTP, errors

PAGE = b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'


def read(*files: tuple[str, str]) -> list[str]:
    """The paths that are opened for the pages of these configurations."""
    opened: list[str] = []

    def read_file(path: str, size: int) -> bytes:
        del size
        opened.append(path)
        return PAGE

    load(files, {}, cores=1, read_file=read_file)
    return opened


def proxies(page: str) -> str:
    return f'{HTTP}backend b{len(page)}\n errorfile 503 {page}\n'


@pytest.mark.parametrize(
    'policy, file, opened',
    [
        ('', '/etc/s/a.cfg', 'pages/503'),
        ('default-path current', '/etc/s/a.cfg', 'pages/503'),
        ('default-path config', '/etc/s/a.cfg', '/etc/s/pages/503'),
        ('default-path config', '/a.cfg', '/./pages/503'),
        ('default-path config', 'a.cfg', 'pages/503'),
        ('default-path parent', '/etc/s/a.cfg', '/etc/s/../pages/503'),
        ('default-path parent', 'a.cfg', '../pages/503'),
        ('default-path origin /srv/', '/etc/s/a.cfg', '/srv/pages/503'),
        ('default-path origin /', '/etc/s/a.cfg', '/./pages/503'),
        ('default-path origin srv\n default-path current', '/etc/s/a.cfg', 'pages/503'),
    ],
)
def test_a_relative_path_begins_where_the_policy_says(policy: str, file: str, opened: str) -> None:
    assert read((file, f'global\n {policy}\n{proxies("pages/503")}')) == [opened]


def test_an_absolute_path_is_what_it_is() -> None:
    assert read(('/etc/a.cfg', f'global\n default-path config\n{proxies("/pages/503")}')) == ['/pages/503']


def test_the_policy_goes_on_in_the_next_file() -> None:
    first = ('/one/a.cfg', f'global\n default-path config\n{proxies("x")}')
    assert read(first, ('/two/b.cfg', proxies('yy'))) == ['/one/x', '/two/yy']


@pytest.mark.parametrize(
    'line, problem',
    [
        ('', "'default-path' only supports 'current', 'config', 'parent', 'origin' (got '')."),
        ('home', "'default-path' only supports 'current', 'config', 'parent', 'origin' (got 'home')."),
        ('origin', "'default-path origin' expects a directory."),
        ('config x', "'default-path' cannot handle unexpected argument 'x'."),
    ],
)
def test_what_is_no_policy_is_refused(line: str, problem: str) -> None:
    assert errors(f'global\n default-path {line}\n') == [f'2: {problem}']
