# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.balance cimport tree
from dataplane.core.balance.tournament cimport Tournament
from dataplane.core.balance.tree cimport Shape
from dataplane.core.cells cimport cell
from dataplane.core.layout cimport Layout
from dataplane.core.limit cimport below_top

cdef class First(Tournament):
    @cython.locals(shown=bint, key='long long')
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)
