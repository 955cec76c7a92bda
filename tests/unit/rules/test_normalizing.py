"""`normalize-uri`: what becomes of a target."""

from __future__ import annotations

import pytest

from dataplane.rules.normalizing import BadTarget, normalized
from dataplane.rules.steps import Normalizer


@pytest.mark.parametrize(
    'name, target, expected',
    [
        ('fragment-encode', '/a#b?c#d', '/a%23b?c%23d'),
        ('fragment-strip', '/a?b#c#d', '/a?b'),
        ('path-merge-slashes', '//a///b//?//', '/a/b/?//'),
        ('path-strip-dot', '/.', '/'),
        ('path-strip-dot', '/./bar/', '/bar/'),
        ('path-strip-dot', '/a/./a', '/a/a'),
        ('path-strip-dot', '/.well-known/?/./', '/.well-known/?/./'),
        ('path-strip-dotdot', '/foo/../', '/'),
        ('path-strip-dotdot', '/foo/../bar/', '/bar/'),
        ('path-strip-dotdot', '/foo/bar/../', '/foo/'),
        ('path-strip-dotdot', '/../bar/', '/../bar/'),
        ('path-strip-dotdot', '/bar/../../', '/../'),
        ('path-strip-dotdot', '/foo//../', '/foo/'),
        ('path-strip-dotdot', '/foo/%2E%2E/', '/foo/%2E%2E/'),
        ('path-strip-dotdot', '/foo/..', '/'),
        ('path-strip-dotdot', '/..', '/../'),
        ('percent-decode-unreserved', '/%41%7e%2F%zz%4?%2e', '/A~%2F%zz%4?.'),
        ('percent-to-uppercase', '/%2f%Ab%zz?%aa', '/%2F%AB%zz?%AA'),
        ('query-sort-by-name', '/?b=1&a=2&ab=3&a=1', '/?a=2&a=1&ab=3&b=1'),
        ('query-sort-by-name', '/', '/'),
    ],
)
def test_normalized(name: str, target: str, expected: str) -> None:
    assert normalized(target.encode(), Normalizer(name), option=False) == expected.encode()


@pytest.mark.parametrize(
    'target, expected', [('/../bar/', '/bar/'), ('/bar/../../', '/'), ('/..', '/'), ('/a/../..', '/')]
)
def test_dots_above_the_root_are_gone_where_all_shall_be(target: str, expected: str) -> None:
    assert normalized(target.encode(), Normalizer.STRIP_DOTDOT, option=True) == expected.encode()


@pytest.mark.parametrize('normalizer', [Normalizer.DECODE_UNRESERVED, Normalizer.TO_UPPERCASE])
def test_a_percent_sign_that_encodes_nothing_is_refused_strictly(normalizer: Normalizer) -> None:
    assert normalized(b'/%41', normalizer, option=True)
    for target in (b'/%', b'/%4', b'/?%zz'):
        with pytest.raises(BadTarget):
            normalized(target, normalizer, option=True)
