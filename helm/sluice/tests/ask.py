"""What `helm test` asks: whether clients are answered, whether a data plane is ready, and whether all have all they were told.

A request for a host that nobody has is answered 503 or 404 by the proxy itself, so any status says that it works. Errors of the first
seconds after an installation are waited out: names and tokens take a moment.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

DEADLINE = time.monotonic() + 60


def ask(url: str, token: str = '', context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """(status, text)."""
    request = urllib.request.Request(url, headers={'Authorization': f'Bearer {token}'} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors='replace')


def until(what: str, question: Callable[[], str]) -> None:
    """Ask until it is as it should be; what is wrong is printed once more when time is up."""
    while True:
        try:
            wrong = question()
        except OSError as error:
            wrong = str(error)
        if not wrong:
            print(f'ok: {what}')
            return
        if time.monotonic() > DEADLINE:
            sys.exit(f'not so: {what}: {wrong}')
        time.sleep(1)


def proxy() -> str:
    """Any status will do."""
    status, text = ask(os.environ['PROXY'])
    return '' if status else text


def ready() -> str:
    """A data plane that should get clients."""
    status, text = ask(os.environ['STATISTICS'] + '/readyz')
    return '' if status == 200 else f'{status} {text}'


def told() -> str:
    """The control plane, over TLS and with a token, and its list of data planes."""
    with open(os.environ['SLUICE_TOKEN_FILE'], encoding='utf-8') as file:
        token = file.read().strip()
    context = ssl.create_default_context(cafile=os.environ['SLUICE_CA_FILE'])
    status, text = ask(os.environ['CONTROLPLANE'] + '/v1/dataplanes', token, context)
    if status != 200:
        return f'{status} {text}'
    planes = json.loads(text)['items']
    late = [plane['id'] for plane in planes if not plane['connected']]
    return f'not connected: {late}' if late or not planes else ''


until('the proxy answers', proxy)
until('a data plane is ready', ready)
until('every data plane is connected to the control plane', told)
