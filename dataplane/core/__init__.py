"""The pure room: everything a data plane decides. No clock, no socket, no loop, no randomness of its own."""
