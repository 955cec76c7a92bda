# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.balance cimport tree
from dataplane.core.balance.balancer cimport Balancer
from dataplane.core.balance.tree cimport Shape
from dataplane.core.layout cimport Layout
from dataplane.core.limit cimport below_top

cdef class RandomDraw(Balancer):
    @cython.locals(keys=Py_ssize_t, heaviest='long long', dynamic='long long', span='long long', draws='long long', misses='int', best=Py_ssize_t, place=Py_ssize_t, weight='long long', server=Py_ssize_t)
    cpdef Py_ssize_t choose(self, cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw) except -2
    @cython.locals(backend=Py_ssize_t, shown=bint, weight='long long', leaf=Py_ssize_t, more='long long', number=Py_ssize_t, first=Py_ssize_t, nodes=Py_ssize_t, parent=Py_ssize_t)
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)

cdef long long _sum(cell[::1] cells, Shape shape, Py_ssize_t place)
cdef Py_ssize_t _by_sums(cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw, long long draws, Py_ssize_t best) except -2
cdef _add(cell[::1] cells, Shape shape, Py_ssize_t server, long long weight)
cdef Py_ssize_t _down(cell[::1] cells, Shape shape, long long rest)
cdef Py_ssize_t _among_all(cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw, long long draws, Py_ssize_t best) except -2
cdef Py_ssize_t _lighter(cell[::1] cells, Layout layout, Py_ssize_t one, Py_ssize_t other)
