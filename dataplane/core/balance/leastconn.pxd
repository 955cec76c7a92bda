# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.balance cimport tree
from dataplane.core.balance.tournament cimport Tournament
from dataplane.core.balance.tree cimport Shape
from dataplane.core.cells cimport cell
from dataplane.core.layout cimport Layout

cdef Py_ssize_t _IN
cdef long long _NUMBERS, _LAST, _LOAD_MAX, _HEAVIEST

cdef class LeastConn(Tournament):
    @cython.locals(backend=Py_ssize_t, total='long long', most='long long', load='long long', cursor=Py_ssize_t, number='long long')
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)
