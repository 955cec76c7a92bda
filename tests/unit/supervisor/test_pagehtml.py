from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dataplane.cli.fields import Value
from dataplane.cli.stat import Kind, Row
from dataplane.rules.statspage import StatsPage
from dataplane.supervisor.pageadmin import ACTIONS, Said
from dataplane.supervisor.pageask import Options
from dataplane.supervisor.pagehtml import Sight, draw, needs_a_look
from tests.inprocess import SNAPSHOT, Plane

HOSTILE = '\'"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;<!--'
PAGE = StatsPage(uri='/s')
VIEW = Options()
EMPTY = frozenset(('meta', 'input', 'br', 'link', 'img', 'hr'))


class Document(HTMLParser):
    """A document's elements; every element that is opened must be closed, in order, and once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f'{tag} has an attribute twice'
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return ' '.join(self.texts)


def drawn(
    plane: Plane | None = None, *, page: StatsPage = PAGE, options: Options = VIEW, token: str | None = None
) -> str:
    plane = plane or Plane()
    sight = Sight(page=page, options=options, info=plane.figures.info(), token=token)
    return ''.join(draw(plane.figures.rows(), sight))


def hostile() -> Plane:
    """Every name and text that a configuration, a check or a control plane can bring, as nasty as it gets."""
    backend = SNAPSHOT.backends[0]
    server = replace(backend.servers[0], name=HOSTILE, cookie=HOSTILE, host=HOSTILE)
    return Plane(
        replace(
            SNAPSHOT,
            globals=replace(SNAPSHOT.globals, node=HOSTILE, description=HOSTILE),
            frontends=(replace(SNAPSHOT.frontends[0], name=HOSTILE, description=HOSTILE),),
            backends=(replace(backend, name=HOSTILE, description=HOSTILE, servers=(server,)),),
        )
    )


def checked(text: str) -> Row:
    values = dict.fromkeys(
        ('check_status', 'last_chk', 'agent_status', 'last_agt', 'status', 'svname', 'pxname', 'addr', 'cookie'), text
    )
    return Row(Kind.SERVER, 3, 1, {**values, 'check_code': 500}, text)


def test_nothing_that_comes_from_elsewhere_is_markup() -> None:
    page = StatsPage(uri=f'/{HOSTILE}?{HOSTILE}', node=HOSTILE, description=HOSTILE, legends=True, refresh=5)
    options = Options(scope=HOSTILE, said=HOSTILE)
    plane = hostile()
    sight = Sight(page=page, options=options, info=plane.figures.info(), token='t')
    text = ''.join(draw([*plane.figures.rows(), checked(HOSTILE)], sight))
    document = Document(text)
    assert {'script', 'img', 'link', 'iframe', 'object'} & {tag for tag, _ in document.elements} == set()
    assert not any(name.startswith('on') for _, attributes in document.elements for name in attributes)
    assert document.text.count(HOSTILE) > 12
    assert '<!--' not in text
    boxes = [box for box in document.all('input') if box.get('type') == 'checkbox']
    assert [box['value'] for box in boxes] == [HOSTILE, HOSTILE]


def test_it_is_one_document_that_asks_for_nothing_more() -> None:
    document = Document(drawn(token='t'))
    assert [tag for tag, _ in document.elements[:2]] == ['html', 'head']
    for _, attributes in document.elements:
        assert not {'src', 'srcset', 'background'} & set(attributes)
        assert 'url(' not in (attributes.get('style') or '')
    assert 'url(' not in drawn()
    assert '@import' not in drawn()


def test_it_can_be_used_without_eyes_and_without_a_mouse() -> None:
    document = Document(drawn(token='t', page=replace(PAGE, refresh=5)))
    assert document.all('html')[0]['lang'] == 'en'
    first = next(attributes for tag, attributes in document.elements if tag in ('a', 'input', 'select', 'button'))
    assert first['href'] == '#main'
    assert document.all('main')[0]['id'] == 'main'
    ids = [attributes['id'] for _, attributes in document.elements if 'id' in attributes]
    assert len(ids) == len(set(ids))
    assert all(section['aria-labelledby'] in ids for section in document.all('section'))
    assert all(head.get('scope') in ('col', 'row') for head in document.all('th'))
    assert len(document.all('caption')) == len(document.all('table')) == 3
    assert all(box['aria-label'] for box in document.all('input') if box.get('type') == 'checkbox')
    assert not any('tabindex' in attributes and attributes['tabindex'] != '-1' for _, attributes in document.elements)


@pytest.mark.parametrize('token, forms', [('t', 1), (None, 0)])
def test_forms_stand_where_there_are_servers_and_only_for_who_may(token: str | None, forms: int) -> None:
    document = Document(drawn(token=token))
    found = [form for form in document.all('form') if form['method'] == 'post']
    assert len(found) == forms
    fields = {field['name']: field['value'] for field in document.all('input') if field.get('name') in ('b', 'token')}
    assert fields == ({'b': 'px', 'token': 't'} if forms else {})
    if forms:
        options = [option['value'] for option in document.all('option')]
        assert options[-len(ACTIONS) - 1 :] == ['', *ACTIONS]


def test_a_form_goes_where_the_view_is() -> None:
    document = Document(drawn(token='t', options=Options(up=True, scope='p"', said='DONE')))
    (form,) = [form for form in document.all('form') if form['method'] == 'post']
    assert form['action'] == '/s;up?scope=p%22'


def test_the_search_form_keeps_a_query_that_is_part_of_the_address() -> None:
    document = Document(drawn(page=StatsPage(), options=Options(norefresh=True)))
    (form,) = document.all('form')
    assert form['action'] == '/haproxy'
    hidden = [(field['name'], field['value']) for field in document.all('input') if field.get('type') == 'hidden']
    assert hidden == [('stats', ''), ('norefresh', '1')]


def test_listening_addresses_that_are_counted_have_rows() -> None:
    front = replace(SNAPSHOT.frontends[0], socket_stats=True)
    assert '<th scope="row">b</th>' not in drawn()
    text = drawn(Plane(replace(SNAPSHOT, frontends=(front,))))
    assert '<th scope="row">b</th><td class="l"><span class="s up">' in text
    full = Row(Kind.LISTENER, 2, 1, {'pxname': 'fe', 'svname': '<b>', 'status': 'FULL', 'scur': 3, 'slim': 3})
    text = ''.join(draw([full], Sight(page=PAGE, options=VIEW, info=Plane().figures.info())))
    assert '<th scope="row">&lt;b&gt;</th><td class="l"><span class="s drain">' in text
    Document(text)


def test_states_are_words_with_a_sign_and_a_colour() -> None:
    text = drawn()
    assert '<span class="s up"><span aria-hidden="true">\u25cf</span> no check</span>' in text
    assert '<span class="s maint"><span aria-hidden="true">\u25a0</span> MAINT</span>' in text
    assert '<b class="maint">1</b>in maintenance' in text


@pytest.mark.parametrize(
    'now, limit, bar',
    [
        (0, 10, 'class="b" style="--p:0%"'),
        (7, 10, 'class="b" style="--p:70%"'),
        (8, 10, 'class="b hot" style="--p:80%"'),
        (25, 10, 'class="b hot" style="--p:100%"'),
        (5, None, ''),
        (5, 0, ''),
    ],
)
def test_bars_stand_beside_exact_numbers(now: int, limit: int | None, bar: str) -> None:
    values: dict[str, Value] = {'pxname': 'p', 'svname': 's', 'status': 'UP', 'scur': now, 'smax': 1234567}
    if limit is not None:
        values['slim'] = limit
    plane = Plane()
    sight = Sight(page=PAGE, options=Options(), info=plane.figures.info())
    text = ''.join(draw([Row(Kind.SERVER, 3, 1, values)], sight))
    assert f'<td>{now}' in text
    assert '1\u202f234\u202f567' in text
    assert (f'<i {bar}' in text) if bar else ('<i class' not in text)


def test_what_is_hidden_unless_it_is_asked_for() -> None:
    text = drawn()
    assert 'n1' not in text
    assert 'Sluice 1.2.3' in text
    assert '127.0.0.1:18472' not in text
    text = drawn(page=replace(PAGE, node='n1', version=False, legends=True, description='what it is'))
    assert '<title>Statistics of n1</title>' in text
    assert '1.2.3' not in text
    assert '127.0.0.1:18472' in text
    assert 'what it is' in text


def test_refresh_can_be_stopped_and_begun() -> None:
    page = replace(PAGE, refresh=5)
    assert 'href="/s;norefresh"' in drawn(page=page)
    assert 'href="/s"' in drawn(page=page, options=Options(norefresh=True))
    assert 'norefresh' not in drawn()


@pytest.mark.parametrize('said', Said)
def test_what_became_of_an_action_is_said(said: Said) -> None:
    text = drawn(options=Options(said=said.value, up=True))
    assert f'<p class="said" role="status">{said.told} <a href="/s;up">' in text


def test_no_proxy_is_said_too() -> None:
    sight = Sight(page=PAGE, options=Options(scope='zz'), info=Plane().figures.info())
    assert 'No proxy is shown' in ''.join(draw([], sight))


@pytest.mark.parametrize(
    'kind, status, queue, wanted',
    [
        (Kind.SERVER, 'UP', 0, False), (Kind.SERVER, 'no check', 0, False), (Kind.SERVER, 'UP', 1, True), (Kind.SERVER, 'UP 1/3', 0, True),
        (Kind.SERVER, 'DRAIN', 0, True), (Kind.SERVER, 'DOWN', 0, True), (Kind.BACKEND, 'UP', 0, True),
    ],
)  # fmt: skip
def test_what_needs_a_look(kind: Kind, status: str, queue: int, wanted: bool) -> None:
    assert needs_a_look(Row(kind, 1, 1, {'pxname': 'p', 'svname': 's', 'status': status, 'qcur': queue})) is wanted
