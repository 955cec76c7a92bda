# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

from dataplane.core.cells cimport cell
from dataplane.core.balance.tree cimport Shape
from dataplane.core.layout cimport Layout

cdef Py_ssize_t NOBODY

cdef class Balancer:
    cpdef Py_ssize_t choose(self, cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw) except -2
    cpdef Py_ssize_t target(self, cell[::1] cells, Shape shape, long long value, Py_ssize_t avoid, room) except -2
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)
    cpdef join(self, cell[::1] cells, Shape shape, Py_ssize_t node)
    cpdef forget(self, cell[::1] cells, Layout at, Py_ssize_t backend, members)
