# C types for the compiled package (docs/decisions/0016-a-compiled-twin.md): what the sources beside this file say holds without it, too.

cimport cython
from dataplane.core.cells cimport cell
from dataplane.core.balance.balancer cimport Balancer
from dataplane.core.balance.tree cimport Shape
from dataplane.core.layout cimport Layout

cdef class Index:
    cdef public Layout at
    cdef public Py_ssize_t slice
    cdef dict _known
    cdef long long _tables

    @cython.locals(tables='long long')
    cpdef tuple of(self, cell[::1] cells, Py_ssize_t backend)
    cdef tuple _learn(self, cell[::1] cells, Py_ssize_t backend)
    @cython.locals(shape=Shape, balancer=Balancer)
    cpdef Py_ssize_t choose(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t avoid, room, draw) except -2
    @cython.locals(shape=Shape, balancer=Balancer)
    cpdef Py_ssize_t target(self, cell[::1] cells, Py_ssize_t backend, long long value, Py_ssize_t avoid, room) except -2
    @cython.locals(total='long long', backend=Py_ssize_t)
    cpdef long long take(self, cell[::1] cells, Py_ssize_t server) except -1
    @cython.locals(total='long long', backend=Py_ssize_t)
    cpdef give_back(self, cell[::1] cells, Py_ssize_t server)
    cpdef look(self, cell[::1] cells, Py_ssize_t server)
    @cython.locals(shape=Shape, balancer=Balancer)
    cdef _follow(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t server)
    @cython.locals(shape=Shape, balancer=Balancer, made=Py_ssize_t, kind='long long', size=Py_ssize_t, whole=Py_ssize_t, end=Py_ssize_t, place=Py_ssize_t, node=Py_ssize_t)
    cpdef Py_ssize_t renew(self, cell[::1] cells, Py_ssize_t backend, Py_ssize_t budget) except -1

cpdef spoil(cell[::1] cells, Layout at, Py_ssize_t backend)
cpdef forget(cell[::1] cells, Layout at, Py_ssize_t backend)
@cython.locals(following=Py_ssize_t)
cpdef tuple chain(cell[::1] cells, Layout at, Py_ssize_t backend)
