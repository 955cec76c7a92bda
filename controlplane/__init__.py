"""The control plane: what is wanted, in one order, pushed to every data plane; REST in front, a WebSocket link behind.

`domain` decides and is pure; `stores` keep; `api` and `push` are the two doors; `app` ties them together.
"""
