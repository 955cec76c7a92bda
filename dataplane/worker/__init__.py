"""One worker process: one event loop, its client and server connections, and its mailbox from the supervisor."""
