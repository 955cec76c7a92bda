"""`python -m tests.kube.million SLICES ENDPOINTS`: how much a process grows when it holds so many. Prints it in MiB, as JSON.

The documents are made and compacted page by page, as an informer does; only the API server and the network are left out.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

from controlplane.kube.holdings import Holdings, Listing
from controlplane.kube.objects import Slice

PAGE = 100


def document(endpoints: int) -> str:
    """A slice as the controller writes it, as JSON, with places for what is different in each."""
    listed = [
        {
            'addresses': [f'10.HI.LO.{number}'],
            'conditions': {'ready': True, 'serving': True, 'terminating': False},
            'nodeName': f'ip-10-0-{number}-LO.eu-central-1.compute.internal',
            'zone': f'eu-central-1{"abc"[number % 3]}',
            'targetRef': {
                'kind': 'Pod', 'namespace': 'team-LO', 'name': f'service-NUMBER-7d9f8c6b5d-x{number:04}',
                'uid': f'0NUMBER-1111-4222-8333-{number:012}',
            },
        }
        for number in range(endpoints)
    ]  # fmt: skip
    meta = {
        'namespace': 'team-LO', 'name': 'service-NUMBER-x7k2p', 'uid': '0NUMBER-4444-4555-8666-000000000000',
        'resourceVersion': '1234NUMBER', 'generation': 7, 'creationTimestamp': '2026-01-01T00:00:00Z',
        'labels': {'kubernetes.io/service-name': 'service-NUMBER', 'app': 'service-NUMBER'},
        'managedFields': [{'manager': 'kube-controller-manager', 'fieldsV1': {'f:endpoints': {}}}],
    }  # fmt: skip
    ports = [{'name': 'http', 'port': 8080, 'protocol': 'TCP'}]
    return json.dumps({'metadata': meta, 'addressType': 'IPv4', 'ports': ports, 'endpoints': listed})


def resident() -> float:
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20


def main(slices: int, endpoints: int) -> None:
    gc.set_threshold(20_000, 20, 1_000_000)  # as the control plane has it
    template = document(endpoints)
    kept: Holdings[Slice] = Holdings('endpointslices', Slice.from_dict)

    def page(first: int) -> None:
        texts = (
            template.replace('NUMBER', f'{number:07}').replace('HI', f'{number >> 8}').replace('LO', f'{number & 255}')
            for number in range(first, min(first + PAGE, slices))
        )
        kept.read(listing, (json.loads(text) for text in texts))

    listing: Listing[Slice] = Listing('')
    before, began = resident(), time.perf_counter()
    for first in range(0, slices, PAGE):
        page(first)
    kept.adopt(listing)
    first_list, listed_s = resident() - before, time.perf_counter() - began
    template, listing = document(0), Listing('')  # listed again: what has its old version is not looked at further
    for first in range(0, slices, PAGE):
        page(first)
    kept.adopt(listing)
    sizes = {'first': first_list, 'again': resident() - before}
    held = sum(len(one.endpoints) for one in kept.values.values())
    print(json.dumps({'slices': len(kept.values), 'endpoints': held, **sizes, 'seconds': listed_s}))


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
