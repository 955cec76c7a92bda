# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core cimport line
from dataplane.core.cells cimport cell
from dataplane.core.balance cimport tree
from dataplane.core.balance.tournament cimport Tournament
from dataplane.core.balance.tree cimport Shape
from dataplane.core.layout cimport Layout
from dataplane.core.limit cimport below_top

cdef Py_ssize_t NOBODY

cdef class StaticRoundRobin(Tournament):
    @cython.locals(backend=Py_ssize_t, size='long long', start=Py_ssize_t, place=Py_ssize_t, server=Py_ssize_t)
    cpdef Py_ssize_t choose(self, cell[::1] cells, Shape shape, Py_ssize_t avoid, room, draw) except -2
    cpdef Py_ssize_t holder(self, cell[::1] cells, Shape shape, long long slot) except -2
    @cython.locals(absent=bint)
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)

cdef class Map(StaticRoundRobin):
    @cython.locals(backend=Py_ssize_t, size='long long')
    cpdef Py_ssize_t target(self, cell[::1] cells, Shape shape, long long value, Py_ssize_t avoid, room) except -2

cdef class Sticky(StaticRoundRobin):
    @cython.locals(elected=Py_ssize_t)
    cpdef Py_ssize_t target(self, cell[::1] cells, Shape shape, long long value, Py_ssize_t avoid, room) except -2

cdef class Ring(StaticRoundRobin):
    @cython.locals(server=Py_ssize_t)
    cpdef Py_ssize_t holder(self, cell[::1] cells, Shape shape, long long slot) except -2
    @cython.locals(backend=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t, after=Py_ssize_t, before=Py_ssize_t, behind='long long', ahead='long long', place=Py_ssize_t, nearest=Py_ssize_t, server=Py_ssize_t)
    cpdef Py_ssize_t target(self, cell[::1] cells, Shape shape, long long value, Py_ssize_t avoid, room) except -2
    @cython.locals(size=Py_ssize_t, start=Py_ssize_t)
    cdef Py_ssize_t _counting(self, cell[::1] cells, Shape shape, Py_ssize_t place, Py_ssize_t step) except -2
    cpdef bint picky(self, cell[::1] cells, Shape shape) except -1
    @cython.locals(affinity='long long')
    cpdef bint may_take(self, cell[::1] cells, Shape shape, Py_ssize_t server, room) except -1

cdef class Bounded(Ring):
    cpdef bint picky(self, cell[::1] cells, Shape shape) except -1
    @cython.locals(backend=Py_ssize_t, weight='long long', whole='long long', heavier='long long', slots='long long', rest='long long', part='long long')
    cpdef bint may_take(self, cell[::1] cells, Shape shape, Py_ssize_t server, room) except -1
    @cython.locals(more='long long')
    cpdef look(self, cell[::1] cells, Shape shape, Py_ssize_t server)

@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, least='long long')
cdef Py_ssize_t _first(cell[::1] cells, Py_ssize_t start, Py_ssize_t size, long long value)
@cython.locals(place=Py_ssize_t, number='long long')
cdef long long _number(cell[::1] cells, Shape shape)
