# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.balance cimport tree
from dataplane.core.balance.balancer cimport Balancer
from dataplane.core.balance.tournament cimport lowest
from dataplane.core.balance.tree cimport Shape
from dataplane.core.layout cimport Layout
from dataplane.core.limit cimport below_top

cdef Py_ssize_t _IN, _WHEEL, _DUE, _FEW
cdef long long _REST_BITS, _NUMBERS, _CYCLE, _CYCLE_ORDER, _NPOS, _NPOS_ORDER, _NOWHERE, _HIDDEN, _HEAVIEST, _SCALE

cdef class RoundRobin(Balancer):
    @cython.locals(backend=Py_ssize_t, server=Py_ssize_t)
    cpdef Py_ssize_t choose(self, cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw) except -2
    @cython.locals(backend=Py_ssize_t, weight='long long', found=Py_ssize_t, mine=bint, begun=bint, leaf=Py_ssize_t, key='long long')
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)

@cython.locals(backend=Py_ssize_t, root=Py_ssize_t, fresh=Py_ssize_t, due=Py_ssize_t, key='long long')
cdef Py_ssize_t _next(cell[::1] cells, Shape shape)
cdef bint _anybody(cell[::1] cells, Shape shape, room) except -1
cdef Py_ssize_t _pick(cell[::1] cells, Shape shape, Py_ssize_t avoid, room) except -2
cdef Py_ssize_t _far(cell[::1] cells, Shape shape, Py_ssize_t avoid, room) except -2
@cython.locals(backend=Py_ssize_t, weight='long long', position='long long', now='long long', carried='long long', step='long long', rest='long long')
cdef _advance(cell[::1] cells, Shape shape, Py_ssize_t server)
cdef _arrive(cell[::1] cells, Shape shape, Py_ssize_t server, long long weight)
cdef _reweigh(cell[::1] cells, Shape shape, Py_ssize_t server, Py_ssize_t found, long long weight)
@cython.locals(backend=Py_ssize_t, length='long long', due='long long', weight='long long', rest='long long', order='long long')
cdef _put(cell[::1] cells, Shape shape, Py_ssize_t server)
@cython.locals(order='long long')
cdef _put_by_weight(cell[::1] cells, Shape shape, Py_ssize_t server, long long cycle)
@cython.locals(place=Py_ssize_t, number='long long')
cdef long long _count(cell[::1] cells, Shape shape)
@cython.locals(fresh='long long', due='long long', mark='long long')
cdef _set(cell[::1] cells, Shape shape, Py_ssize_t server, Py_ssize_t which, long long key)
cdef long long _shown(cell[::1] cells, Shape shape, Py_ssize_t server, long long key)
