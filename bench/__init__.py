"""bench: what a request costs each proxy, measured side by side on one machine. `python -m bench`, or `make bench`.

It is no part of the product and knows only Sluice's command line. What must hold: every figure comes from answers that
were checked (status, length, hash); the proxies alternate inside each round, so that a slow minute of the machine hits all of
them; nothing is left running however it ends; nothing is installed.
"""
