"""What the integration tests stand on: real processes, real sockets, and observers that count independently of Sluice.

`ports` reserves listening ports, `procs` starts and surely ends processes, `waiting` waits for a condition, `upstream` is a
server that counts what is in it at once, `load` is constant load on keep-alive connections, `owners` tells from /proc
which process holds which connection, `cli` talks to a stats socket, `faultlink` stands between the planes and spoils the
link, `planes` starts the two planes themselves. Nothing here imports the data plane's code.
"""
