# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.balance cimport tree
from dataplane.core.balance.balancer cimport Balancer
from dataplane.core.balance.tree cimport Shape

cdef class Tournament(Balancer):
    @cython.locals(root=Py_ssize_t, keys=Py_ssize_t, server=Py_ssize_t, key='long long')
    cpdef Py_ssize_t choose(self, cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw) except -2

cpdef Py_ssize_t lowest(cell[::1] cells, Shape shape, Py_ssize_t avoid, room, Py_ssize_t keys) except -2
