from __future__ import annotations

import pytest

from dataplane.supervisor.pageask import MOST_SCOPE, Options, Shape, options_of

DEFAULT = '/haproxy?stats'


@pytest.mark.parametrize(
    'target, uri, wanted',
    [
        ('/s', '/s', Options()),
        ('/sx', '/s', Options()),
        ('/s/x;csv', '/s', Options(shape=Shape.CSV)),
        ('/s;csv', '/s', Options(shape=Shape.CSV)),
        ('/s;json', '/s', Options(shape=Shape.JSON)),
        ('/s;typed', '/s', Options(shape=Shape.TYPED)),
        ('/s;up;norefresh', '/s', Options(up=True, norefresh=True)),
        ('/s;no-maint', '/s', Options(no_maint=True)),
        ('/s;st=DONE;up', '/s', Options(said='DONE', up=True)),
        ('/s?scope=a%2Fb+c', '/s', Options(scope='a/b c')),
        ('/s?scope=&show=', '/s', Options()),
        ('/s?scope=x&show=up', '/s', Options(scope='x', up=True)),
        ('/s?show=no-maint', '/s', Options(no_maint=True)),
        ('/s?show=problems', '/s', Options(problems=True)),
        ('/s;problems', '/s', Options(problems=True)),
        ('/s?norefresh=1', '/s', Options(norefresh=True)),
        (f'/s?scope={"x" * 99}', '/s', Options(scope='x' * MOST_SCOPE)),
        (f'{DEFAULT};csv', DEFAULT, Options(shape=Shape.CSV)),
        (f'{DEFAULT}&scope=x;csv', DEFAULT, Options(shape=Shape.CSV, scope='x')),
        (f'{DEFAULT}=&scope=x&show=up', DEFAULT, Options(scope='x', up=True)),
        ('http://h:1/s;csv', '/s', Options(shape=Shape.CSV)),
        ('http://h', '/', Options()),
    ],
)
def test_how_the_page_is_wanted(target: str, uri: str, wanted: Options) -> None:
    assert options_of(target, uri) == wanted


@pytest.mark.parametrize(
    'target, uri', [('/', '/s'), ('/haproxy', DEFAULT), ('*', '/s'), ('http://h/x', '/s'), ('/s', '')]
)
def test_what_is_asked_of_somebody_else(target: str, uri: str) -> None:
    assert options_of(target, uri) is None


@pytest.mark.parametrize('uri', ['/s', '/', DEFAULT])
@pytest.mark.parametrize(
    'options',
    [
        Options(),
        Options(shape=Shape.JSON, up=True, scope='a&b;c=<d>'),
        Options(no_maint=True, norefresh=True, said='PART'),
        Options(problems=True, scope='ü"'),
    ],
)
def test_an_address_says_what_it_was_made_of(uri: str, options: Options) -> None:
    address = options.address(uri)
    assert options_of(address, uri) == options
    assert address.isascii()


def test_an_address_is_haproxys() -> None:
    options = Options(up=True, norefresh=True, scope='be', said='DONE')
    assert options.address('/st') == '/st;st=DONE;up;norefresh?scope=be'
    assert options.address(DEFAULT) == '/haproxy?stats;st=DONE;up;norefresh&scope=be'
