"""bench.guard: has a request become dearer? Instructions per request, counted by callgrind, beside a committed baseline.

Unlike the rest of the bench it knows the worker from inside: no socket, no load and no clock takes part, so what is counted
is the same on a busy machine. What must hold: every stage counts requests that were served rightly, from a running worker's
state (warm, admitted, connections idle); start-up is in no figure; a figure that left the band fails in either direction.
"""
