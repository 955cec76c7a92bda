"""The data plane, room by room. This module imports nothing.

What a request meets, from the outside in:

- `worker` is one process with one event loop: it accepts, parses, relays and logs. `worker.desk` is the one place where
  decisions of the core become callbacks and sockets.
- `core` is the pure room: it decides who is served, who waits and who is refused, and what a change means for them. No
  asyncio, no clock, no socket, no randomness of its own. It works on cells of integers that somebody hands it.
- `board` is those cells in shared memory, with the one lock under which every decision of every worker is taken.
- `stick` is stick tables in shared memory of their own, with locks of their own; `mutex` is the lock both are under.
- `alarm` ends searches with regular expressions that take too long, in whatever process.

What a change meets:

- `supervisor` is the parent process: it owns the listening sockets, the board and the workers, and puts every change, from
  whatever door, in one order. `supervisor.publish` is that one door.
- `health` is the checks of servers: what they ask, what answers mean, when the next is due. The supervisor runs them; what they
  find comes through the one door.
- `rules` is what sample fetches, ACLs, conditions and log formats mean; pure. `config` parses them, workers evaluate them.
- `config` turns haproxy.cfg into a snapshot; `cli` speaks HAProxy's runtime protocol; both are pure.
- `wire` is what planes and processes say to each other: versions, events, frames. The control plane shares this room and
  no other.

Imports point one way (tests/architecture holds the table). The three knots where objects are put together are
`supervisor.main`, `worker.main` and, in the other plane, `controlplane.app`.
"""
